package authtest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// BenchmarkNew is what a test pays for a server of its own.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		each := &oneTest{TB: b}
		authtest.New(each)
		each.cleanup()
	}
}

// oneTest is a test that ends before the benchmark.
type oneTest struct {
	testing.TB
	cleanup func()
}

func (o *oneTest) Cleanup(cleanup func()) { o.cleanup = cleanup }

// send posts a client-credentials grant and reads the response.
func send(b *testing.B, client *http.Client, address, body, id, secret string) []byte {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(id, secret)
	response, err := client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // Read to its end.
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("status %d %s: %v", response.StatusCode, text, err)
	}
	return text
}

// BenchmarkClientCredentials compares the grant with a bare handler that returns
// the same bytes to the same request, both over the loopback interface. Half the
// floor's rate is the aim.
func BenchmarkClientCredentials(b *testing.B) {
	s := authtest.New(b)
	ready := s.Ready()
	body := url.Values{"grant_type": {"client_credentials"}, "scope": {transferAll}}.Encode()
	client := s.Client()
	address := s.BaseURL() + "v2/oauth2/token"
	same := send(b, client, address, body, ready.ConfidentialClientID, ready.ConfidentialClientSecret)
	floor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(same)
	}))
	defer floor.Close()
	run := func(name, address string) {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					send(b, client, address, body, ready.ConfidentialClientID, ready.ConfidentialClientSecret)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
		})
	}
	run("floor", floor.URL)
	run("authtest", address)
}

// BenchmarkHandler is the same without the network.
func BenchmarkHandler(b *testing.B) {
	s, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		b.Fatal(err)
	}
	ready := s.Ready()
	body := url.Values{"grant_type": {"client_credentials"}, "scope": {transferAll}}.Encode()
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v2/oauth2/token", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(ready.ConfidentialClientID, ready.ConfidentialClientSecret)
		response := httptest.NewRecorder()
		s.Handler().ServeHTTP(response, request)
		if response.Code != http.StatusOK {
			b.Fatal(response.Body)
		}
	}
}
