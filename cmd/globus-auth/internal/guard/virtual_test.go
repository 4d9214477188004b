package guard_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/apitest"
)

// pipes is a network in memory, for virtual time.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func newPipes() *pipes { return &pipes{connections: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case connection := <-p.connections:
		return connection, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.connections <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// virtual runs a guard in front of a program in virtual time. The functions send the text of a request, and stop the guard.
func virtual(t *testing.T, program http.HandlerFunc) (w *world, send func(text string) (net.Conn, *bufio.Reader), stop func() error) {
	t.Helper()
	server, err := authtest.NewServer(authtest.Config{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	w = &world{apitest.New(t, server, authtest.User{Username: "alice@physics.example.edu"})}
	front, admin, back := newPipes(), newPipes(), newPipes()
	upstream := &http.Server{Handler: program}
	ended := make(chan error, 2)
	go func() { ended <- upstream.Serve(back) }()
	g := w.guard(t, "upstream: http://program\n")
	g.SetDial(back.dial)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- g.Serve(ctx, front, admin) }()
	send = func(text string) (net.Conn, *bufio.Reader) {
		connection, err := front.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
			t.Fatal(err)
		}
		return connection, bufio.NewReader(connection)
	}
	stop = func() error {
		cancel()
		err := <-ended
		_ = upstream.Close()
		if closed := <-ended; !errors.Is(closed, http.ErrServerClosed) {
			err = errors.Join(err, closed)
		}
		return err
	}
	return w, send, stop
}

// TestGuardServe_CutsOffAfter20Seconds has an upstream that does not end its response.
func TestGuardServe_CutsOffAfter20Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left := make(chan struct{})
		w, send, stop := virtual(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(left)
		})
		connection, reader := send("GET / HTTP/1.1\nHost: api\n" + bearer(w.token(jobs)) + "\n")
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil || time.Since(begin) != 20*time.Second {
			t.Errorf("stopped after %s: %v, want 20 s", time.Since(begin), err)
		}
		<-left
		if text, err := io.ReadAll(reader); err != nil || strings.Contains(string(text), "200 OK") {
			t.Errorf("the client got %q, %v", text, err)
		}
		_ = connection.Close()
	})
}

// TestGuardProxy_WebsocketEndsWithTheToken keeps a connection open beyond the expiry of its token.
func TestGuardProxy_WebsocketEndsWithTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, send, stop := virtual(t, func(w http.ResponseWriter, _ *http.Request) {
			connection, buffer, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = connection.Close() }()
			_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_, _ = io.Copy(connection, buffer)
		})
		token := w.Token(authtest.Grant{User: w.Alice.Username, Age: 48*time.Hour - 10*time.Second})
		connection, reader := send("GET / HTTP/1.1\nHost: api\nConnection: Upgrade\nUpgrade: websocket\n" + bearer(token) + "\n")
		response, err := http.ReadResponse(reader, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v %v", response, err)
		}
		_ = response.Body.Close()
		time.Sleep(9 * time.Second)
		_, _ = io.WriteString(connection, "ping\n")
		if line, err := reader.ReadString('\n'); err != nil || line != "ping\n" {
			t.Fatalf("read %q: %v", line, err)
		}
		begin := time.Now()
		if _, err := reader.ReadString('\n'); err == nil || time.Since(begin) > time.Second {
			t.Errorf("the connection ended after %s: %v, want 1 s", time.Since(begin), err)
		}
		_ = connection.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestGuardProxy_OtherUpgrades asks for a protocol in which the client could send requests that the guard does not see.
func TestGuardProxy_OtherUpgrades(t *testing.T) {
	t.Parallel()
	for _, upgrade := range []string{"h2c", "H2C", "h2c, websocket", "websocket, h2c", "TLS/1.0", "h2c\nUpgrade: websocket"} {
		synctest.Test(t, func(t *testing.T) {
			w, send, stop := virtual(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") == "" {
					return
				}
				w.Header().Set("Connection", "Upgrade")
				w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
				w.WriteHeader(http.StatusSwitchingProtocols)
			})
			connection, reader := send("GET / HTTP/1.1\nHost: api\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\nUpgrade: " +
				upgrade + "\n" + bearer(w.token(jobs)) + "\n")
			response, err := http.ReadResponse(reader, nil)
			if err != nil || response.StatusCode != http.StatusOK {
				t.Errorf("%s: %v %v, want 200", upgrade, response, err)
			} else {
				_ = response.Body.Close()
			}
			_ = connection.Close()
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
