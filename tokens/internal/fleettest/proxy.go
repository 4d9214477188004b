package fleettest

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a network between a store and its server that fails once.
type Proxy struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	step   string // a part of the statement at which it fails; empty when it has
	fault  string
	failed int
}

// NewProxy listens in front of a server.
func NewProxy(t *testing.T, server string) *Proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, server: server}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(client) })
		}
	})
	return p
}

// Addr is the proxy's address.
func (p *Proxy) Addr() *net.TCPAddr { return p.listener.Addr().(*net.TCPAddr) }

// Faults are what a network can do to a statement.
func Faults() []string {
	return []string{"cut before", "cut after", "half closed", "swallowed", "response swallowed"}
}

// FailAt makes the next statement that contains a text fail.
func (p *Proxy) FailAt(step, fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.fault, p.failed = step, fault, 0
}

// Failures is how many statements failed since FailAt.
func (p *Proxy) Failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// faultFor returns the fault of what the client sent, once.
func (p *Proxy) faultFor(sent []byte) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.step == "" || !bytes.Contains(sent, []byte(p.step)) {
		return ""
	}
	p.step = ""
	p.failed++
	return p.fault
}

func (p *Proxy) serve(client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	defer func() { _, _ = client.Close(), server.Close() }()
	responses := make(chan bool, 1) // whether to forward responses
	responses <- true
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			forward := <-responses
			responses <- forward
			if forward {
				_, _ = client.Write(buffer[:n])
			}
			if err != nil {
				if forward {
					_ = client.Close()
				}
				return
			}
		}
	})
	// Longer than the store waits. Then the client learns that the connection is gone, for which
	// pgx would wait 15 seconds when the pool is closed.
	silence := func() {
		_ = client.SetReadDeadline(time.Now().Add(1500 * time.Millisecond))
		_, _ = io.Copy(io.Discard, client)
		_, _ = client.Close(), server.Close()
	}
	buffer := make([]byte, 1<<20)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			_ = server.Close()
			return
		}
		switch p.faultFor(buffer[:n]) {
		case "cut before": // the statement does not arrive
			_, _ = client.Close(), server.Close()
			return
		case "cut after": // it is carried out, and the response is lost
			<-responses
			responses <- false
			_, _ = server.Write(buffer[:n])
			_ = server.(*net.TCPConn).CloseWrite()
			back.Wait()
			return
		case "half closed": // the server reads the end of the connection behind the statement
			_, _ = server.Write(buffer[:n])
			_ = server.(*net.TCPConn).CloseWrite()
			silence()
			return
		case "swallowed": // nothing arrives any more, and nothing says so
			silence()
			return
		case "response swallowed":
			<-responses
			responses <- false
			_, _ = server.Write(buffer[:n])
			silence()
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}
