package resourceserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/resourceserver"
)

type sink struct{ header http.Header }

func (s *sink) Header() http.Header       { return s.header }
func (*sink) Write(b []byte) (int, error) { return len(b), nil }
func (*sink) WriteHeader(int)             {}

// BenchmarkProtect is a request with a token that was introspected before: one scope rule (protect), and with a session
// rule and a domain rule beside it (session). The handler alone takes 3 ns.
func BenchmarkProtect(b *testing.B) {
	w := newWorld(b)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	request := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username}))
	const often = 100
	serve := func(name string, handler http.Handler) bench.Case {
		return bench.Case{Name: name, Ops: often, Run: func() {
			writer := &sink{http.Header{}}
			for range often {
				handler.ServeHTTP(writer, request)
			}
		}}
	}
	cases := []bench.Case{
		serve("protect", w.api(b, resourceserver.Config{Rules: rules(resourceserver.AllScopes(jobs))}).Protect(handler)),
		serve("session", w.api(b, resourceserver.Config{Rules: rules(resourceserver.AllScopes(jobs))}).
			Protect(handler, resourceserver.Fresh(time.Hour), resourceserver.SessionDomains("physics.example.edu"))),
	}
	b.Run("one-core", func(b *testing.B) {
		bench.CPU(b, cases...)
		bench.Max(b, "protect-cpu-ns", 600)
		bench.Max(b, "protect-allocs", 3)
	})
	b.Run("all-cores", func(b *testing.B) {
		bench.Parallel(b, runtime.GOMAXPROCS(0), cases...)
		bench.Max(b, "protect-ns", 600)
	})
}

// BenchmarkProtect_LiveTokens is the memory of each of 200,000 live tokens: a million take at most 512 MiB. They are introspected without
// sessions and linked identities, which only rules that need them, or Config.Details, ask for.
func BenchmarkProtect_LiveTokens(b *testing.B) {
	count := 200_000
	if testing.Short() {
		count = 10_000
	}
	service := roundTripper(func(r *http.Request) (*http.Response, error) {
		form, _ := io.ReadAll(r.Body)
		_, number, _ := strings.Cut(string(form), "token-")
		number, _, _ = strings.Cut(number, "&")
		n, _ := strconv.Atoi(number)
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
		body := fmt.Sprintf(`{"active":true,"aud":[%q],"sub":%q,"client_id":%q,"username":"user%d@example.edu","name":"User %d of Example","email":"user%d@example.edu","scope":%q,"exp":%d,"iss":"https://auth.globus.org","identity_set":[%q]}`,
			apiID, id, robotID, n, n, n, string(jobs), time.Now().Add(time.Hour).Unix(), id)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})
	for b.Loop() {
		auth, err := globusauth.New(globusauth.Config{HTTPClient: &http.Client{Transport: service}})
		if err != nil {
			b.Fatal(err)
		}
		api, err := resourceserver.New(resourceserver.Config{
			OAuth: flows.Config{Auth: auth, ClientID: apiID, ClientSecret: "secret"}, CacheSize: count, CacheTime: time.Hour,
		})
		if err != nil {
			b.Fatal(err)
		}
		before := heap()
		for n := range count {
			if _, err := api.Authenticate(b.Context(), "token-"+strconv.Itoa(n)); err != nil {
				b.Fatal(err)
			}
		}
		bench.Report(b, float64(heap()-before)/float64(count), "memory-B/token", 512*(1<<20)/1e6)
		b.ReportMetric(0, "ns/op")
		runtime.KeepAlive(api)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
