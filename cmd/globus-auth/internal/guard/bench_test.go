package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/internal/bench"
)

// BenchmarkProxy is a request over loopback through the guard, with a cached token, one scope, a session rule and two routes,
// compared with one through httputil.ReverseProxy alone (floor).
func BenchmarkProxy(b *testing.B) {
	w := newWorld(b)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"jobs":[]}`) }))
	b.Cleanup(program.Close)
	target, _ := url.Parse(program.URL)
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	b.Cleanup(transport.CloseIdleConnections)
	bare := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}})
	b.Cleanup(bare.Close)
	front := w.serve(b, "upstream: "+program.URL+"\nrules: {all_scopes: ["+jobs+"], fresh: 1h}\nroutes: [{pattern: /jobs/}, {pattern: /}]\n")
	compare(b, bench.CPU, 1.15, "Bearer "+w.token(jobs), bare.URL+"/jobs/1", front.url+"/jobs/1")
}

// BenchmarkForwardAuth is a request through nginx, which asks the guard, compared with one for which nginx asks a handler that
// does nothing (floor). Without nginx it is skipped.
func BenchmarkForwardAuth(b *testing.B) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("nginx is not installed")
	}
	w := newWorld(b)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"jobs":[]}`) }))
	b.Cleanup(program.Close)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	b.Cleanup(bare.Close)
	front := w.serve(b, "forward_auth: nginx\nrules: {all_scopes: ["+jobs+"], fresh: 1h}\nroutes: [{pattern: /jobs/}, {pattern: /}]\n")
	text, err := os.ReadFile(filepath.Join(examples, "nginx.conf"))
	if err != nil {
		b.Fatal(err)
	}
	var addresses []string
	for _, checker := range []string{bare.URL, front.url} {
		listener := listen(b)
		address := listener.Addr().String()
		_ = listener.Close()
		dir := b.TempDir()
		config := strings.NewReplacer("127.0.0.1:4180", strings.TrimPrefix(checker, "http://"), "127.0.0.1:8000", strings.TrimPrefix(program.URL, "http://"),
			"listen 8080", "listen "+address).Replace(string(text))
		if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
			b.Fatal(err)
		}
		run := exec.Command(nginx, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off; pid nginx.pid;") //nolint:noctx // Cleanup ends it.
		if err := run.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = run.Process.Signal(os.Interrupt); _ = run.Wait() })
		for {
			if response, err := http.Get("http://" + address); err == nil { //nolint:noctx // It waits for nginx.
				_ = response.Body.Close()
				break
			}
		}
		addresses = append(addresses, "http://"+address+"/jobs/1")
	}
	http.DefaultClient.CloseIdleConnections()
	compare(b, bench.Wall, 1.43, "Bearer "+w.token(jobs), addresses[0], addresses[1])
}

// compare sends requests to two addresses.
func compare(b *testing.B, clock func(*testing.B, ...bench.Case), limit float64, token, floor, guarded string) {
	b.Helper()
	c := client(b)
	send := func(address string) func() {
		return func() {
			request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			request.Header.Set("Authorization", token)
			response, err := c.Do(request)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Fatalf("status %d", response.StatusCode)
			}
		}
	}
	clock(b, bench.Case{Name: "floor", Run: send(floor)}, bench.Case{Name: "guard", Run: send(guarded), Limit: limit})
}
