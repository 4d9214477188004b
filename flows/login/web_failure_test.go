package login_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
)

// begin starts a login that keeps its own parameters, and returns the callback's URL.
func (g *globus) begin(v visitor) *url.URL {
	g.t.Helper()
	callback, err := g.server.Login(g.t.Context(), "alice@lab.example.org", v.get("/login?next=%2Fjobs%3Fid%3D1&prompt=login").header.Get("Location"))
	if err != nil {
		g.t.Fatal(err)
	}
	return callback
}

const again = `<a href="/login?next=%2Fjobs%3Fid%3D1&amp;prompt=login">Log in again</a>`

func TestWebCallback_ServiceFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault      authtest.Fault
		status     int
		retryAfter string
		reload     int // status of the same callback when the service works again
	}{
		"server error":         {authtest.Fault{Kind: authtest.FaultStatus, Status: 500}, 502, "", 303},
		"unavailable":          {authtest.Fault{Kind: authtest.FaultStatus, Status: 503}, 503, "", 303},
		"unavailable for 30 s": {authtest.Fault{Kind: authtest.FaultStatus, Status: 503, RetryAfter: 30}, 503, "30", 303},
		"rate limit":           {authtest.Fault{Kind: authtest.FaultStatus, Status: 429, RetryAfter: 7}, 503, "7", 303},
		"not reached":          {authtest.Fault{Kind: authtest.FaultDropBefore}, 502, "", 303},
		"response lost":        {authtest.Fault{Kind: authtest.FaultDropAfter}, 502, "", 403},
		"response cut":         {authtest.Fault{Kind: authtest.FaultTruncate}, 502, "", 403},
		"not JSON":             {authtest.Fault{Kind: authtest.FaultMalformed}, 502, "", 403},
		"a proxy's page":       {authtest.Fault{Kind: authtest.FaultMalformed, Body: "<html>Please log in to the network"}, 502, "", 403},
		"no keys":              {authtest.Fault{Kind: authtest.FaultStatus, Operation: "getJWKS", Status: 500}, 502, "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGlobus(t, nil)
			v := g.visitor()
			callback := g.begin(v).String()
			if test.fault.Operation == "" {
				test.fault.Operation = "token"
			}
			g.server.Inject(test.fault)
			got := v.get(callback)
			if got.status != test.status || got.header.Get("Retry-After") != test.retryAfter || !strings.Contains(got.body, again) {
				t.Errorf("got %v", got)
			}
			for _, word := range []string{"flows", "globusauth", "idtoken", "JSON", "http"} {
				if strings.Contains(got.body, word+":") {
					t.Errorf("the page has the text of a Go error: %s", got.body)
				}
			}
			g.server.ClearFaults()
			got = v.get(callback)
			if got.status != test.reload || (got.status == http.StatusSeeOther && got.header.Get("Location") != "/jobs?id=1") {
				t.Errorf("reloaded: %v", got)
			}
		})
	}
}

// eagerSessions call a function when a callback was marked as used, once.
type eagerSessions struct {
	login.Sessions
	marked *func()
}

func (s eagerSessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	added, err := s.Sessions.Add(ctx, key, data, expiry)
	if call := *s.marked; call != nil && strings.HasPrefix(key, "used-") {
		*s.marked = nil
		call()
	}
	return added, err
}

// A callback that comes twice, while the service fails, can be tried again like any other.
func TestWebCallback_TwiceWhileServiceFails(t *testing.T) {
	t.Parallel()
	var second func()
	g := newGlobus(t, func(c *login.WebConfig) { c.Sessions = eagerSessions{&login.MemorySessions{}, &second} })
	v := g.visitor()
	callback := g.begin(v).String()
	second = func() {
		if got := v.get(callback); got.status != http.StatusBadRequest {
			t.Errorf("the second request: %v", got)
		}
	}
	g.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "token", Status: 503})
	if got := v.get(callback); got.status != http.StatusServiceUnavailable {
		t.Errorf("the first request: %v", got)
	}
	g.server.ClearFaults()
	if got := v.get(callback); got.header.Get("Location") != "/jobs?id=1" {
		t.Errorf("reloaded: %v", got)
	}
}

func TestWebCallback_Refusals(t *testing.T) {
	t.Parallel()
	wrongSecret := func(c *login.WebConfig) { c.Flow.ClientSecret = "wrong" }
	set := func(name, value string) func(url.Values) {
		return func(q url.Values) {
			if name == "error" {
				q.Del("code")
			}
			q.Set(name, value)
		}
	}
	for name, test := range map[string]struct {
		change   func(*login.WebConfig)
		callback func(url.Values)
		status   int
		title    string
	}{
		"denied":                {nil, set("error", "access_denied"), 403, "You are not logged in"},
		"server error":          {nil, set("error", "server_error"), 502, "Globus cannot complete the login right now"},
		"temporary":             {nil, set("error", "temporarily_unavailable"), 502, "Globus cannot complete the login right now"},
		"scope is not known":    {nil, set("error", "invalid_scope"), 500, "The login is not set up correctly"},
		"another issuer":        {nil, set("iss", "https://evil.example"), 403, "The login could not be verified"},
		"another login's code":  {nil, set("code", "guessed"), 403, "The login could not be verified"},
		"the secret is refused": {wrongSecret, func(url.Values) {}, 500, "The login is not set up correctly"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGlobus(t, test.change)
			v := g.visitor()
			callback := g.begin(v)
			query := callback.Query()
			test.callback(query)
			callback.RawQuery = query.Encode()
			got := v.get(callback.String())
			if got.status != test.status || !strings.Contains(got.body, "<h1>"+test.title+"</h1>") || !strings.Contains(got.body, again) {
				t.Errorf("got %v", got)
			}
			if len(g.errors()) != 1 {
				t.Errorf("told %v", g.errors())
			}
		})
	}
}

// A callback that is of no use any more leads people who are logged in on to the site.
func TestWebCallback_UsedWithLiveSession(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, func(c *login.WebConfig) { c.Home = "/home" })
	v := g.visitor()
	callback := g.begin(v).String()
	if got := v.get(callback); got.header.Get("Location") != "/jobs?id=1" {
		t.Fatalf("got %v", got)
	}
	for target, page := range map[string]string{callback: "/jobs?id=1", g.URL + "/cb?code=x&state=unknown": "/home", g.URL + "/cb": "/home"} {
		if got := v.get(target); got.status != http.StatusSeeOther || got.header.Get("Location") != page {
			t.Errorf("%s: got %v", target, got)
		}
		want := `<a href="/home">Continue</a>`
		if target == callback {
			want = again
		}
		got := g.visitor().get(target)
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, want) {
			t.Errorf("%s, not logged in: %v", target, got)
		}
	}
	if len(g.logins) != 1 {
		t.Errorf("%d logins", len(g.logins))
	}
}

func TestWeb_FailuresForPrograms(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	for _, test := range []struct {
		method, target, accept string
		json                   bool
		status                 int
	}{
		{http.MethodGet, "/cb?state=x", "application/json", true, 400},
		{http.MethodGet, "/cb?state=x", "application/problem+json;q=0.9, */*;q=0.1", true, 400},
		{http.MethodGet, "/cb?state=x", "text/html, application/json", false, 400},
		{http.MethodGet, "/cb?state=x", "*/*", false, 400},
		{http.MethodGet, "/cb?state=x", "", false, 400},
		{http.MethodPost, "/cb", "application/json", true, 400},
		{http.MethodGet, "/login?next=//evil.example", "application/json", true, 400},
		{http.MethodGet, "/logout", "application/json", true, 403},
	} {
		got := v.send(test.method, test.target, http.Header{"Accept": {test.accept}})
		if got.status != test.status {
			t.Errorf("%v: %v", test, got)
		}
		if !test.json {
			if got.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%v: %v", test, got)
			}
			continue
		}
		var problem struct {
			Status        int
			Title, Detail string
		}
		err := json.Unmarshal([]byte(got.body), &problem)
		if err != nil || got.header.Get("Content-Type") != "application/problem+json" || problem.Status != test.status || problem.Title == "" || problem.Detail == "" {
			t.Errorf("%v: %v, %v", test, got, err)
		}
	}
}

func TestWeb_ConfigFail(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, func(c *login.WebConfig) {
		c.Fail = func(w http.ResponseWriter, _ *http.Request, f login.Failure) {
			w.WriteHeader(f.Status)
			_, _ = fmt.Fprintf(w, "%s|%s|%s|%v|%v", f.Title, f.Link, f.LinkText, f.RetryAfter, f.Err != nil)
		}
	})
	v := g.visitor()
	callback := g.begin(v).String()
	g.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "token", Status: 503, RetryAfter: 30})
	got := v.get(callback)
	want := "Globus cannot complete the login right now|/login?next=%2Fjobs%3Fid%3D1&prompt=login|Log in again|30s|true"
	if got.status != http.StatusServiceUnavailable || got.body != want || got.header.Get("Retry-After") != "30" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v", got)
	}
}
