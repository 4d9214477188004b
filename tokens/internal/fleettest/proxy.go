package fleettest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a network between a store and its server that fails once.
type Proxy struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	step    string // a part of the statement at which it fails; empty when it has
	fault   string
	failed  int
	settled chan struct{} // closed when the connection that failed has ended on both sides
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
			all.Go(func() { p.serve(client.(*net.TCPConn)) })
		}
	})
	return p
}

// Addr is the proxy's address.
func (p *Proxy) Addr() *net.TCPAddr { return p.listener.Addr().(*net.TCPAddr) }

// late is when what was delayed arrives. The stores of [ConnectionFails] have given up then, and sent it again.
const late = 1500 * time.Millisecond

// Faults are what a network can do to a statement and to its response. What is dropped disappears without a word.
// Half-closed is the direction: the server reads the end of the connection behind the statement, or the client in
// place of the response.
func Faults() []string {
	return []string{
		"request cut", "request dropped", "request delayed", "request half-closed",
		"response cut", "response dropped", "response delayed", "response half-closed",
	}
}

// FailAt makes the next statement that contains a text fail.
func (p *Proxy) FailAt(step, fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.fault, p.failed, p.settled = step, fault, 0, make(chan struct{})
}

// Failures is how many statements failed since FailAt.
func (p *Proxy) Failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// faultFor returns the fault of what the client sent, once.
func (p *Proxy) faultFor(sent []byte) (fault string, settled chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.step == "" || !bytes.Contains(sent, []byte(p.step)) {
		return "", nil
	}
	p.step = ""
	p.failed++
	return p.fault, p.settled
}

func (p *Proxy) serve(client *net.TCPConn) {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	server := conn.(*net.TCPConn)
	end := func() { _, _ = client.Close(), server.Close() }
	defer end()
	var fault atomic.Value // of the response
	fault.Store("")
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				_ = client.CloseWrite()
				return
			}
			switch fault.Load() {
			case "response cut":
				end()
			case "response dropped":
				time.AfterFunc(late, end)
				continue
			case "response delayed":
				wait(late)
			case "response half-closed":
				_ = client.CloseWrite()
			}
			_, _ = client.Write(buffer[:n])
		}
	})
	buffer := make([]byte, 1<<20)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			_ = server.CloseWrite()
			return
		}
		failure, settled := p.faultFor(buffer[:n])
		if settled != nil {
			defer func() { back.Wait(); close(settled) }()
		}
		switch fault.Store(failure); failure {
		case "request cut":
			end()
		case "request dropped":
			// pgx waits for 15 seconds for the end of a connection that it has given up.
			wait(late)
			end()
		case "request delayed":
			wait(late)
		}
		_, _ = server.Write(buffer[:n])
		if failure == "request half-closed" {
			_ = server.CloseWrite()
		}
	}
}
