package resourceserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
)

// introspections counts the introspections that the service received.
func (w *world) introspections() (count int) {
	for _, request := range w.Requests() {
		if request.Operation == "introspect" {
			count++
		}
	}
	return count
}

func TestAPIAuthenticate_CachedIntrospection(t *testing.T) {
	t.Parallel()
	minute := 60
	tests := []struct {
		name  string
		grant authtest.Grant
		rules func(policy string) []resourceserver.Rule
		then  func(w *world, token string)
		want  int // introspections, of two requests
		ok    bool
	}{
		{name: "within the cache time", then: func(w *world, _ string) { w.Advance(29 * time.Second) }, want: 1, ok: true},
		{name: "after the cache time", then: func(w *world, _ string) { w.Advance(30 * time.Second) }, want: 2, ok: true},
		{name: "revoked, within the cache time", then: func(w *world, token string) { w.ExpireToken(token) }, want: 1, ok: true},
		{name: "revoked, after the cache time", then: func(w *world, token string) { w.ExpireToken(token); w.Advance(30 * time.Second) }, want: 2},
		{name: "expired meanwhile", grant: authtest.Grant{Age: 48*time.Hour - 10*time.Second}, then: func(w *world, _ string) { w.Advance(10 * time.Second) }, want: 2},
		{
			name:  "policy not satisfied any more",
			rules: func(policy string) []resourceserver.Rule { return rules(resourceserver.Policies(policy)) },
			then:  func(w *world, _ string) { w.Advance(61 * time.Second) }, want: 2,
		},
		{
			name:  "session too old meanwhile, within the cache time",
			rules: func(string) []resourceserver.Rule { return rules(resourceserver.Fresh(20 * time.Second)) },
			then:  func(w *world, _ string) { w.Advance(21 * time.Second) }, want: 1,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			policy := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "strict", HighAssurance: true, Timeout: &minute})
			config := resourceserver.Config{}
			if test.rules != nil {
				config.Rules = test.rules(policy.ID)
			}
			api := w.api(t, config)
			test.grant.User = w.Alice.Username
			token := w.Token(test.grant)
			if _, err := api.Authenticate(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			test.then(w, token)
			if _, err := api.Authenticate(t.Context(), token); (err == nil) != test.ok {
				t.Errorf("the second request: %v", err)
			}
			if got := w.introspections(); got != test.want {
				t.Errorf("%d introspections, want %d", got, test.want)
			}
		})
	}
}

func TestAPIProtect_OneIntrospectionForManyRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello))
	token := w.Token(authtest.Grant{User: w.Alice.Username})
	var requests sync.WaitGroup
	for range 1000 {
		requests.Go(func() {
			if response, _ := call(t, handler, "Bearer "+token); response.Code != http.StatusOK {
				t.Errorf("status %d", response.Code)
			}
		})
	}
	requests.Wait()
	if got := w.introspections(); got != 1 {
		t.Errorf("%d introspections for 1000 requests, want 1", got)
	}
}

// TestAPIProtect_GarbageTokens has 10,000 distinct unknown tokens: each costs one introspection, a bounded number of
// them are in flight, and a good token is served meanwhile without one.
func TestAPIProtect_GarbageTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var inFlight, most atomic.Int64
	w.OAuth.Auth = w.clientOver(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			now := inFlight.Add(1)
			defer inFlight.Add(-1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			return next.RoundTrip(r)
		})
	})
	api := w.api(t, resourceserver.Config{CacheSize: 100})
	handler := api.Protect(http.HandlerFunc(hello))
	good := w.Token(authtest.Grant{User: w.Alice.Username})
	call(t, handler, "Bearer "+good)
	var requests sync.WaitGroup
	for worker := range 200 {
		requests.Go(func() {
			for n := range 50 {
				recorder := httptest.NewRecorder()
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
				request.Header.Set("Authorization", "Bearer garbage-"+strconv.Itoa(50*worker+n))
				handler.ServeHTTP(recorder, request)
				if recorder.Code != http.StatusUnauthorized {
					t.Errorf("status %d", recorder.Code)
				}
			}
		})
	}
	requests.Wait()
	if most.Load() > 64 {
		t.Errorf("%d introspections in flight, want at most 64", most.Load())
	}
	if api.Cached() > 100 {
		t.Errorf("%d introspections are cached, want at most 100", api.Cached())
	}
	if sent := w.Stats().Operations["introspect"]["200"]; sent != 10_001 {
		t.Errorf("%d introspections of 10,001 tokens", sent)
	}
}

func TestAPIProtect_ServiceFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		fault      authtest.Fault
		retryAfter string
	}{
		{name: "500", fault: authtest.Fault{Kind: authtest.FaultStatus, Status: 500}},
		{name: "malformed response", fault: authtest.Fault{Kind: authtest.FaultMalformed}},
		{name: "dropped connection", fault: authtest.Fault{Kind: authtest.FaultDropBefore}},
		{name: "wrong client secret", fault: authtest.Fault{Kind: authtest.FaultStatus, Status: 401}},
		{name: "429", fault: authtest.Fault{Kind: authtest.FaultStatus, Status: 429, RetryAfter: 30}, retryAfter: "30"},
		{name: "slow", fault: authtest.Fault{Kind: authtest.FaultLatency, Latency: time.Minute}},
		{name: "slow body", fault: authtest.Fault{Kind: authtest.FaultSlowBody, Latency: time.Minute}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				w := newWorld(t)
				test.fault.Operation = "introspect"
				w.Inject(test.fault)
				events := &observer{}
				api := w.api(t, resourceserver.Config{Observer: events})
				token := w.Token(authtest.Grant{User: w.Alice.Username})
				response, body := call(t, api.Protect(http.HandlerFunc(hello)), "Bearer "+token)
				if response.Code != http.StatusServiceUnavailable || body["code"] != "ServiceUnavailable" || response.Header().Get("WWW-Authenticate") != "" || response.Header().Get("Retry-After") != test.retryAfter {
					t.Errorf("%d %v, Retry-After %q, want 503", response.Code, body, response.Header().Get("Retry-After"))
				}
				if want := "introspection, denied 503 ,"; events.String() != want {
					t.Errorf("observed %q, want %q", events, want)
				}
				w.ClearFaults()
				if response, _ := call(t, api.Protect(http.HandlerFunc(hello)), "Bearer "+token); response.Code != http.StatusOK {
					t.Errorf("status %d after the outage", response.Code)
				}
				if waited := time.Since(begin); waited > 10*time.Second {
					t.Errorf("the request waited %s, want at most 10 s", waited)
				}
			})
		})
	}
}

// observer writes down what it counts.
type observer struct{ strings.Builder }

func (o *observer) CacheHit()      { o.WriteString("cache hit, ") }
func (o *observer) Introspection() { o.WriteString("introspection, ") }

func (o *observer) Denied(status int, rule string) {
	_, _ = fmt.Fprintf(o, "denied %d %s,", status, rule)
}
