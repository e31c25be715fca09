package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// lines is what a container says: written down in the form that kubelets read, and shown to whoever is attached.
type lines struct {
	mu       sync.Mutex
	file     *os.File
	attached map[*attachment]bool
	rest     map[string][]byte
}

type attachment struct{ out, err io.Writer }

type stream struct {
	lines *lines
	name  string
}

func (l *lines) of(name string) io.Writer { return stream{l, name} }

func (s stream) Write(data []byte) (int, error) {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	for a := range s.lines.attached {
		to := a.out
		if s.name == "stderr" {
			to = a.err
		}
		if to == nil {
			continue
		}
		if _, err := to.Write(data); err != nil {
			delete(s.lines.attached, a)
		}
	}
	if s.lines.rest == nil {
		s.lines.rest = map[string][]byte{}
	}
	text := append(s.lines.rest[s.name], data...)
	for {
		end := bytes.IndexByte(text, '\n')
		if end == -1 {
			break
		}
		s.lines.put(s.name, "F", text[:end])
		text = text[end+1:]
	}
	s.lines.rest[s.name] = bytes.Clone(text)
	return len(data), nil
}

func (l *lines) put(name, tag string, text []byte) {
	fmt.Fprintf(l.file, "%s %s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), name, tag, text)
}

// end writes what came without an end of line.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, text := range l.rest {
		if len(text) > 0 {
			l.put(name, "P", text)
		}
	}
	_ = l.file.Close()
}

func (l *lines) attach(a *attachment) (detach func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attached[a] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.attached, a)
	}
}
