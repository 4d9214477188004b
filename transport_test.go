package globusauth_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

func noWait(context.Context, time.Duration) error { return nil }

func refresh(ctx context.Context, client *globusauth.Client) error {
	_, err := client.Token(ctx, gen.TokenRequest{GrantType: gen.GrantTypeRefreshToken, RefreshToken: "r", ClientID: "c"})
	return err
}

// A server that closes each connection right after a response that promised to keep it
// is what a client sees of an idle timeout.
func TestClientToken_AfterServerClosedIdleConnections(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
				}
				_ = conn.Close()
			}()
		}
	}()
	for name, httpClient := range map[string]*http.Client{"own transport": nil, "caller's": {Transport: &http.Transport{}}, "caller's default": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := globusauth.New(globusauth.Config{BaseURL: "http://" + listener.Addr().String(), HTTPClient: httpClient})
			if err != nil {
				t.Fatal(err)
			}
			for range 400 {
				if _, err := client.GetJWKS(t.Context()); err != nil { // leaves an idle connection
					t.Fatal(err)
				}
				if err := refresh(t.Context(), client); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// 421 is retried over another connection (RFC 9110 section 15.5.20).
func TestClientGetJWKS_MisdirectedRequest(t *testing.T) {
	t.Parallel()
	var first atomic.Value
	client := serve(t, globusauth.Config{Wait: noWait}, func(w http.ResponseWriter, r *http.Request) {
		if first.CompareAndSwap(nil, r.RemoteAddr) || first.Load() == r.RemoteAddr {
			w.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		respond(w, http.StatusOK, `{"keys":[]}`)
	})
	if _, err := client.GetJWKS(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNew_ManyClientsLeaveNoConnections(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	open, opened := map[net.Conn]bool{}, 0
	closed := make(chan struct{}, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, `{"keys":[]}`) }))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateNew:
			open[conn] = true
			opened++
		case http.StateClosed:
			delete(open, conn)
			closed <- struct{}{}
		default:
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	const clients = 20
	get := func(config globusauth.Config) *globusauth.Client {
		config.BaseURL = server.URL
		client, err := globusauth.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.GetJWKS(t.Context()); err != nil {
			t.Fatal(err)
		}
		return client
	}
	for range clients {
		get(globusauth.Config{})
	}
	mu.Lock()
	if opened != 1 {
		t.Errorf("%d clients opened %d connections, want one", clients, opened)
	}
	mu.Unlock()
	for range clients {
		get(globusauth.Config{RootCAs: x509.NewCertPool()}).HTTPClient().CloseIdleConnections()
	}
	for range clients {
		<-closed
	}
	mu.Lock()
	defer mu.Unlock()
	if len(open) != 1 {
		t.Errorf("%d connections are open, want that of the shared transport", len(open))
	}
}

func TestClient_UnreachableService(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	refused := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("connection refused")
	}}}
	for _, test := range []struct {
		config globusauth.Config
		want   string
	}{
		{globusauth.Config{BaseURL: closed.URL}, "cannot reach " + closed.URL + "/ (Config.BaseURL): dial tcp "},
		{globusauth.Config{Environment: "preview", HTTPClient: refused}, "cannot reach https://auth.preview.globus.org/ (environment preview): connection refused"},
		{globusauth.Config{HTTPClient: refused}, "cannot reach https://auth.globus.org/ (environment production): connection refused"},
	} {
		test.config.MaxRetries = -1
		client, err := globusauth.New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := refresh(t.Context(), client); err == nil || !strings.HasPrefix(err.Error(), "globusauth: Token: "+test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// A connection that fails before it can carry a request is safe to try again, whatever
// the error is.
func TestClientToken_ConnectionBreaksOffInHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials++
			here, there := net.Pipe()
			go func() {
				_, _ = there.Read(make([]byte, 10))
				_ = there.Close()
			}()
			return here, nil
		}}
		var logged bytes.Buffer
		client, err := globusauth.New(globusauth.Config{HTTPClient: &http.Client{Transport: transport}, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := refresh(t.Context(), client); err == nil || !strings.Contains(err.Error(), "cannot reach https://auth.globus.org/") || dials != 6 {
			t.Errorf("%v after %d dials, want 6", err, dials)
		}
		if got := strings.Count(logged.String(), "level=WARN"); got != 5 || !strings.Contains(logged.String(), "cannot reach") {
			t.Errorf("logged\n%s", logged.String())
		}
	})
}

// The time limit of a request that must not be sent twice leaves a process that was
// suspended the time to read the response.
func TestClientToken_Timeout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		suspended, latency time.Duration
		want               string
	}{
		"in time":                     {0, 29 * time.Second, ""},
		"too late":                    {0, 33 * time.Second, "globusauth: Token: no response in time from https://auth.globus.org/ (environment production): context deadline exceeded"},
		"after a suspension":          {time.Hour, 33 * time.Second, ""},
		"too late after a suspension": {time.Hour, time.Minute, "no response in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var suspended atomic.Int64
				time.AfterFunc(time.Second, func() { suspended.Store(int64(test.suspended)) })
				transport := roundTrip(func(req *http.Request) (*http.Response, error) {
					select {
					case <-req.Context().Done():
						return nil, req.Context().Err()
					case <-time.After(test.latency):
						return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: req}, nil
					}
				})
				client, err := globusauth.New(globusauth.Config{
					HTTPClient: &http.Client{Transport: transport}, Timeout: 30 * time.Second,
					Now: func() time.Time { return time.Now().Add(time.Duration(suspended.Load())) },
				})
				if err != nil {
					t.Fatal(err)
				}
				err = refresh(t.Context(), client)
				if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("got %v, want %q", err, test.want)
				}
			})
		})
	}
}

// Login pages of networks, and error pages of proxies.
func TestClientGetJWKS_LoginPageOfNetwork(t *testing.T) {
	t.Parallel()
	const page = "<html>Welcome to the hotel</html>"
	client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	})
	_, err := client.GetJWKS(t.Context())
	failed, ok := errors.AsType[*apierror.Error](err)
	if !ok || string(failed.Body()) != page || failed.StatusCode != http.StatusOK || !errors.Is(err, globusauth.ErrMalformedResponse) {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "bytes of text/html") || !strings.Contains(text, "network login page") || strings.Contains(text, "hotel") {
		t.Errorf("got %s", text)
	}
}

func TestClientGetJWKS_ProxyRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status string
		want   string
		asked  int32
	}{
		"no user name":        {"407 Proxy Authentication Required", "status 407", 1},
		"service not allowed": {"403 Forbidden", "the proxy refused the connection: status 403", 1},
		"in its own words":    {"407 Who are you", "the proxy refused the connection: status 407; check the URL in HTTPS_PROXY, and its user name and password", 1},
		"overloaded":          {"503 Service Unavailable", "cannot reach https://auth.globus.org/", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 "+test.status+"\r\nContent-Length: 0\r\n\r\n")
				_ = conn.Close()
			}))
			t.Cleanup(proxy.Close)
			// The variable is read once in a process.
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThroughProxy$", "-test.v")
			child.Env = append(os.Environ(), "TEST_THROUGH_PROXY=1", "NO_PROXY=", "HTTPS_PROXY="+proxy.URL)
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("%v\n%s", err, out)
			}
			if got := asked.Load(); got != test.asked {
				t.Errorf("the proxy was asked %d times, want %d", got, test.asked)
			}
		})
	}
}

// TestThroughProxy is the child of TestClientGetJWKS_ProxyRefuses.
func TestThroughProxy(t *testing.T) {
	t.Parallel()
	if os.Getenv("TEST_THROUGH_PROXY") == "" {
		t.Skip("it is run by another test")
	}
	client, err := globusauth.New(globusauth.Config{MaxRetries: 1, Wait: noWait})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.GetJWKS(t.Context())
	t.Log(err)
}
