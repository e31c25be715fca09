package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	v1 "k8s.io/api/core/v1"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// container is a folder of this machine with a process in it. Nothing confines that process.
type container struct {
	id, folder string
	spec       v1.Container
	// changed is called when the main process ends.
	changed func()

	mu       sync.Mutex
	log      *lines
	stdin    io.WriteCloser
	terminal *os.File
	done     chan struct{}
	main     *exec.Cmd
	others   map[*exec.Cmd]bool
	restarts int32
	started  time.Time
	ended    *time.Time
	code     int32
	lastCode int32
	lastSpan [2]time.Time
}

// idle stands for an image's own program: says that it is there, and repeats what is written to it.
var idle = []string{"sh", "-c", "echo \"$HOSTNAME is there\"; exec cat"}

func (c *container) command(argv []string, tty bool) *exec.Cmd {
	if len(argv) == 0 {
		argv = idle
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = filepath.Join(c.folder, "files")
	// Only these: what the tests have in their environment is not for containers.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "HOSTNAME=" + filepath.Base(filepath.Dir(c.folder))}
	if tty {
		cmd.Env = append(cmd.Env, "TERM=xterm")
	}
	for _, variable := range c.spec.Env {
		if variable.ValueFrom == nil {
			cmd.Env = append(cmd.Env, variable.Name+"="+variable.Value)
		}
	}
	// Ends with this process, and has a group of its own to be ended by.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	// A grandchild may hold the pipes for longer than the process lives.
	cmd.WaitDelay = time.Second
	return cmd
}

// logPath is where the log of the running process is, or that of the one before it, if there was one.
func (c *container) logPath(previous bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.restarts
	if previous {
		at--
	}
	if at < 0 {
		return ""
	}
	return filepath.Join(c.folder, fmt.Sprintf("%d.log", at))
}

// start runs the main process; again, if it ended.
func (c *container) start() error {
	if c.done != nil {
		c.mu.Lock()
		c.restarts++
		c.lastCode, c.lastSpan = c.code, [2]time.Time{c.started, *c.ended}
		c.mu.Unlock()
	}
	if err := os.MkdirAll(filepath.Join(c.folder, "files"), 0o700); err != nil {
		return err
	}
	file, err := os.Create(c.logPath(false))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = &lines{file: file, attached: map[*attachment]bool{}}
	c.started, c.ended, c.done = time.Now(), nil, make(chan struct{})
	c.main = c.command(slices.Concat(c.spec.Command, c.spec.Args), c.spec.TTY)
	c.stdin, c.terminal = nil, nil
	output := func() {}
	if c.spec.TTY {
		if c.terminal, err = pty.Start(c.main); err == nil {
			c.stdin = c.terminal
			output = drain(c.terminal, c.log.of("stdout"))
		}
	} else {
		c.main.Stdout, c.main.Stderr = c.log.of("stdout"), c.log.of("stderr")
		if c.stdin, err = c.main.StdinPipe(); err == nil {
			err = c.main.Start()
		}
	}
	if err != nil {
		_ = file.Close()
		c.finish(128, c.done)
		return err
	}
	go func(main *exec.Cmd, log *lines, done chan struct{}) {
		err := main.Wait()
		output()
		log.end()
		c.mu.Lock()
		c.finish(codeOf(err), done)
		c.mu.Unlock()
		c.changed()
	}(c.main, c.log, c.done)
	return nil
}

func (c *container) finish(code int32, done chan struct{}) {
	now := time.Now()
	c.ended, c.code = &now, code
	close(done)
}

func codeOf(err error) int32 {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int32(status.Signal())
		}
		return int32(exit.ExitCode())
	default:
		return 128
	}
}

func (c *container) isRunning() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done != nil && c.ended == nil
}

// end ends every process of the container.
func (c *container) end() {
	c.mu.Lock()
	all := []*exec.Cmd{}
	if c.main != nil && c.main.Process != nil && c.ended == nil {
		all = append(all, c.main)
	}
	for cmd := range c.others {
		all = append(all, cmd)
	}
	done := c.done
	c.mu.Unlock()
	for _, cmd := range all {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if done != nil {
		<-done
	}
}

// exec runs a command beside the main process until it ends.
// The error of a command that ended with another code than 0 carries that code, as the streams' server wants it.
func (c *container) exec(argv []string, in io.Reader, out, errs io.Writer, tty bool, resize <-chan remotecommand.TerminalSize) error {
	cmd := c.command(argv, tty)
	output := func() {}
	if tty {
		terminal, err := pty.StartWithSize(cmd, firstSize(resize))
		if err != nil {
			return missing(argv, err)
		}
		defer terminal.Close()
		go follow(terminal, resize)
		output = drain(terminal, out)
		if in != nil {
			go func() { _, _ = io.Copy(terminal, in) }()
		}
	} else {
		cmd.Stdout, cmd.Stderr = out, errs
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return missing(argv, err)
		}
		go func() {
			if in != nil {
				_, _ = io.Copy(stdin, in)
			}
			_ = stdin.Close()
		}()
	}
	c.mu.Lock()
	c.others[cmd] = true
	c.mu.Unlock()
	err := cmd.Wait()
	c.mu.Lock()
	delete(c.others, cmd)
	c.mu.Unlock()
	output()
	if code := codeOf(err); code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: int(code)}
	}
	return nil
}

// missing words it as a container runtime does.
func missing(argv []string, err error) error {
	return fmt.Errorf("failed to exec in container: exec: %q: %w", argv[0], err)
}

// firstSize waits a little for the size that a caller with a terminal tells first, so that the command finds it.
func firstSize(resize <-chan remotecommand.TerminalSize) *pty.Winsize {
	select {
	case size, ok := <-resize:
		if ok {
			return &pty.Winsize{Rows: size.Height, Cols: size.Width}
		}
	case <-time.After(250 * time.Millisecond):
	}
	return nil
}

func follow(terminal *os.File, resize <-chan remotecommand.TerminalSize) {
	for size := range resize {
		_ = pty.Setsize(terminal, &pty.Winsize{Rows: size.Height, Cols: size.Width})
	}
}

// drain copies what a terminal says. The answer waits for the rest of it once the process is gone, within a bound.
func drain(terminal *os.File, to io.Writer) func() {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(to, terminal)
		close(done)
	}()
	return func() {
		select {
		case <-done:
		case <-time.After(time.Second):
		}
	}
}
