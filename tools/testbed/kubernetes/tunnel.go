package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// serveTunnel answers CONNECT on a Unix socket, as the API server's egress does where nodes are in another network: nodes and pods
// have addresses that nothing on this machine has (an API server refuses to connect to pods on loopback), and here they are found.
func serveTunnel(pods *pods, o options, kubeletPort int) error {
	listener, err := net.Listen("unix", o.tunnel)
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go connect(connection, func(address string) (string, error) {
				ip, port, err := net.SplitHostPort(address)
				if err != nil {
					return "", err
				}
				if ip == o.nodeIP && port == strconv.Itoa(kubeletPort) {
					return loopback(kubeletPort), nil
				}
				number, err := strconv.Atoi(port)
				if err != nil {
					return "", err
				}
				pod := pods.byIP(ip)
				if pod == nil {
					return "", fmt.Errorf("no pod has the address %s", ip)
				}
				return loopback(pod.portOf(number)), nil
			})
		}
	}()
	return nil
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

func connect(client net.Conn, find func(address string) (string, error)) {
	defer client.Close()
	reader := bufio.NewReader(client)
	request, err := http.ReadRequest(reader)
	if err != nil || request.Method != http.MethodConnect {
		fmt.Fprint(client, "HTTP/1.1 405 Method Not Allowed\r\n\r\n")
		return
	}
	address, err := find(request.Host)
	var target net.Conn
	if err == nil {
		target, err = net.DialTimeout("tcp", address, 5*time.Second)
	}
	if err != nil {
		fmt.Fprintf(client, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n%s", len(err.Error()), err)
		return
	}
	defer target.Close()
	fmt.Fprint(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	both(target.(*net.TCPConn), struct {
		io.Reader
		io.Writer
	}{reader, client})
}

// both copies until the target has nothing more to say; the other end may end its half before.
func both(target *net.TCPConn, other io.ReadWriter) {
	go func() {
		_, _ = io.Copy(target, other)
		_ = target.CloseWrite()
	}()
	_, _ = io.Copy(other, target)
}
