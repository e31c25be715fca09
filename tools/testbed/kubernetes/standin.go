package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/cri-streaming/pkg/streaming"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/server"
)

type options struct {
	kubeconfig, node, nodeIP, cert, key, clientCA, folder, tunnel string
}

func readOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("kubelet-standin", flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "who to be for the API server")
	flags.StringVar(&o.node, "node", "standin", "name of the node")
	flags.StringVar(&o.nodeIP, "node-ip", "10.240.0.1", "address that the node tells; only the tunnel knows it")
	flags.StringVar(&o.cert, "cert", "", "certificate to serve with")
	flags.StringVar(&o.key, "key", "", "its key")
	flags.StringVar(&o.clientCA, "client-ca", "", "who vouches for the API server, the only caller")
	flags.StringVar(&o.folder, "folder", "", "where the files of containers are")
	flags.StringVar(&o.tunnel, "tunnel", "", "Unix socket at which the API server asks for connections to nodes and pods")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	needed := map[string]string{
		"kubeconfig": o.kubeconfig, "cert": o.cert, "key": o.key, "client-ca": o.clientCA, "folder": o.folder, "tunnel": o.tunnel,
	}
	for name, value := range needed {
		if value == "" {
			return o, fmt.Errorf("--%s is missing", name)
		}
	}
	return o, nil
}

// standIn is a kubelet without containers: the kubelet's own server and streams, and behind them processes of this machine.
func standIn(args []string) error {
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	pods := newPods(client, o)
	defer pods.endAll()

	streams, err := serveStreams(pods)
	if err != nil {
		return err
	}
	host := &host{pods: pods, streams: streams}
	kubelet := server.NewServer(ctx, host, host, nil, nil, nil, &kubeletconfig.KubeletConfiguration{EnableDebuggingHandlers: true})
	port, err := serveKubelet(&kubelet, o)
	if err != nil {
		return err
	}
	if err := serveTunnel(pods, o, port); err != nil {
		return err
	}
	if err := registerNode(ctx, client, o, port); err != nil {
		return err
	}
	return pods.run(ctx)
}

// serveKubelet serves the kubelet's interface on a free port of loopback, to whoever `--client-ca` vouches for and to nobody else:
// whoever comes in can run programs.
func serveKubelet(handler http.Handler, o options) (int, error) {
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return 0, err
	}
	pem, err := os.ReadFile(o.clientCA)
	if err != nil {
		return 0, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(pem) {
		return 0, fmt.Errorf("no certificate in %s", o.clientCA)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	serving := &http.Server{Handler: handler, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    clients,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		// As a kubelet's: streams are hijacked connections.
		NextProtos: []string{"http/1.1"},
	}}
	go func() { _ = serving.ServeTLS(listener, "", "") }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// serveStreams serves what a container runtime does: streams, each under an address that nobody can guess and that holds once.
func serveStreams(pods *pods) (streaming.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	config := streaming.DefaultConfig
	config.BaseURL = &url.URL{Scheme: "http", Host: listener.Addr().String()}
	streams, err := streaming.NewServer(config, pods)
	if err != nil {
		return nil, err
	}
	go func() { _ = http.Serve(listener, streams) }()
	return streams, nil
}
