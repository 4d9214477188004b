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
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkProxy is a request through the guard in turns with one through httputil.ReverseProxy alone (the floor).
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
	ratio(b, "Bearer "+w.token(jobs), bare.URL+"/jobs/1", front.url+"/jobs/1")
}

// BenchmarkForwardAuth is a request through nginx, which asks the guard, in turns with one for which nginx asks a
// handler that does nothing (the floor). Without nginx it is skipped.
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
	ratio(b, "Bearer "+w.token(jobs), addresses[0], addresses[1])
}

// ratio sends requests to two addresses in turns and reports the medians and their ratio.
func ratio(b *testing.B, token, floor, guarded string) {
	b.Helper()
	c := client(b)
	send := func(address string) time.Duration {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Authorization", token)
		begin := time.Now()
		response, err := c.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			b.Fatalf("%s: status %d", address, response.StatusCode)
		}
		return time.Since(begin)
	}
	var bare, full []time.Duration
	for b.Loop() {
		bare = append(bare, send(floor))
		full = append(full, send(guarded))
	}
	slices.Sort(bare)
	slices.Sort(full)
	a, z := bare[len(bare)/2], full[len(full)/2]
	b.ReportMetric(float64(a.Nanoseconds()), "floor-ns")
	b.ReportMetric(float64(z.Nanoseconds()), "guard-ns")
	b.ReportMetric(float64(z)/float64(a), "x-floor")
	b.ReportMetric(float64(a)/float64(z), "rate")
}
