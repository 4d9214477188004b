package login_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

const (
	alice = "alice@lab.example.org"
	bob   = "bob@lab.example.org"
)

// count counts the requests of an operation.
func (g *globus) count(operation string) (count int) {
	for _, request := range g.server.Requests() {
		if request.Operation == operation {
			count++
		}
	}
	return count
}

func (g *globus) wantPage(what string, got page) {
	g.t.Helper()
	if got.status != http.StatusOK || !strings.HasPrefix(got.body, "the page of ") {
		g.t.Errorf("%s: %v, want the page", what, got)
	}
}

// wantLogin wants the browser to be sent to a login with these parameters.
func (g *globus) wantLogin(what string, got page, parameters url.Values) {
	g.t.Helper()
	target, err := url.Parse(got.header.Get("Location"))
	if err != nil || got.status != http.StatusSeeOther || !strings.HasSuffix(target.Path, "/v2/oauth2/authorize") {
		g.t.Fatalf("%s: %v, want a login", what, got)
	}
	for name := range parameters {
		if target.Query().Get(name) != parameters.Get(name) {
			g.t.Errorf("%s: %s is %q, want %q", what, name, target.Query().Get(name), parameters.Get(name))
		}
	}
}

func TestWebRequire_WithoutSession(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	v := g.visitor()
	back := g.loginAs(v, alice, "/page?id=1&next=https://evil.example")
	if back.status != http.StatusSeeOther || back.header.Get("Location") != "/page?id=1&next=https://evil.example" {
		t.Fatalf("callback: %v", back)
	}
	g.wantPage("after the login", v.get("/page"))
	if g.count("introspect") != 0 {
		t.Error("a page that requires any login asked the service")
	}
}

func TestWebRequire_Demands(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		demand func(g *globus) login.Demand
		asks   url.Values // of the login
		later  time.Duration
	}{
		"fresh": {
			func(*globus) login.Demand { return login.Demand{Fresh: 15 * time.Minute} },
			url.Values{"prompt": {"login"}, "session_required_mfa": {""}},
			15*time.Minute + time.Second,
		},
		"mfa":     {func(*globus) login.Demand { return login.Demand{MFA: true} }, url.Values{"session_required_mfa": {"true"}, "prompt": {""}}, 0},
		"domains": {func(*globus) login.Demand { return login.Demand{SessionDomains: []string{"clinic.example"}} }, url.Values{"session_required_single_domain": {"clinic.example"}}, 0},
		"policies": {
			func(g *globus) login.Demand { return login.Demand{Policies: []string{g.policy()}} },
			url.Values{"session_required_mfa": {""}},
			0,
		},
		"all at once": {
			func(g *globus) login.Demand {
				return login.Demand{Fresh: time.Hour, MFA: true, SessionDomains: []string{"clinic.example"}, Policies: []string{g.policy()}}
			},
			url.Values{"prompt": {"login"}, "session_required_mfa": {"true"}, "session_required_single_domain": {"clinic.example"}},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGlobus(t, nil)
			g.server.AddUser(authtest.User{Username: "alice@clinic.example"})
			g.server.Link(alice, "alice@clinic.example")
			at, v := g.server.Browser(alice), g.visitor()
			g.require(test.demand(g))
			g.callback(v, at, v.get("/login"), nil)
			g.server.Advance(test.later)
			sent := v.get("/page?id=1")
			g.wantLogin("the old session", sent, test.asks)
			if back := g.callback(v, at, sent, nil); back.header.Get("Location") != "/page?id=1" {
				t.Fatalf("callback: %v", back)
			}
			g.wantPage("after the login", v.get("/page?id=1"))
			if len(g.errors()) != 0 {
				t.Errorf("told %v", g.errors())
			}
			// The session before is gone, and another browser has none.
			g.wantLogin("another browser", g.visitor().get("/page"), test.asks)
		})
	}
}

// policy adds a policy that needs a second factor within 30 minutes.
func (g *globus) policy() string {
	timeout := 30 * 60
	project := g.server.Snapshot().Projects[0].ID
	return g.server.AddPolicy(authtest.Policy{Project: project, Name: "high", HighAssurance: true, RequiredMFA: true, Timeout: &timeout}).ID
}

// The address of the login passes through the browser, which may leave parameters out.
func TestWebRequire_LoginWithoutWhatWasAsked(t *testing.T) {
	t.Parallel()
	all := []string{"prompt", "session_required_mfa", "session_required_single_domain", "session_required_policies"}
	for name, demand := range map[string]func(*globus) login.Demand{
		"fresh":    func(*globus) login.Demand { return login.Demand{Fresh: 15 * time.Minute} },
		"mfa":      func(*globus) login.Demand { return login.Demand{MFA: true} },
		"domains":  func(*globus) login.Demand { return login.Demand{SessionDomains: []string{"clinic.example"}} },
		"policies": func(g *globus) login.Demand { return login.Demand{Policies: []string{g.policy()}} },
		"unknown": func(*globus) login.Demand {
			return login.Demand{Policies: []string{"00000000-0000-4000-8000-000000000000"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGlobus(t, nil)
			at, v := g.server.Browser(alice), g.visitor()
			g.require(demand(g))
			g.callback(v, at, v.get("/login"), nil)
			g.server.Advance(time.Hour)
			// An authentication in another browser is of another session.
			if _, err := g.server.Browser(alice)(t.Context(), g.begun()); err != nil {
				t.Fatal(err)
			}
			g.callback(v, at, v.get("/page"), all)
			// The browser does not go in circles.
			got := v.get("/page")
			if got.status != http.StatusForbidden || !strings.Contains(got.body, `<a href="/page">Log in again</a>`) {
				t.Errorf("got %v", got)
			}
			g.server.Advance(20 * time.Second)
			g.wantLogin("the link", v.get("/page"), nil)
			if len(g.session(v).All()) == 0 {
				t.Error("the session is gone")
			}
		})
	}
}

// begun is the address of a login that some browser has begun.
func (g *globus) begun() string {
	login, err := g.flow.Start()
	if err != nil {
		g.t.Fatal(err)
	}
	return login.URL()
}

// One authentication must meet all demands about it.
func TestWebRequire_DifferentAuthentications(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	g.server.AddUser(authtest.User{Username: "alice@clinic.example"})
	g.server.Link(alice, "alice@clinic.example")
	at, v := g.server.Browser(alice), g.visitor()
	for _, demand := range []login.Demand{{SessionDomains: []string{"clinic.example"}}, {MFA: true}} {
		g.require(demand)
		g.callback(v, at, v.get("/page"), nil)
		g.wantPage("one demand", v.get("/page"))
	}
	g.require(login.Demand{SessionDomains: []string{"clinic.example"}, MFA: true})
	g.wantLogin("both", v.get("/page"), nil)
}

func TestWebRequire_SessionGrowsOld(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		demand   func(*globus) login.Demand
		lifetime time.Duration
	}{
		"policy": {func(g *globus) login.Demand { return login.Demand{Policies: []string{g.policy()}} }, 30 * time.Minute},
		"fresh":  {func(*globus) login.Demand { return login.Demand{Fresh: time.Hour} }, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGlobus(t, nil)
			v := g.visitor()
			g.require(test.demand(g))
			g.loginAs(v, alice, "/page")
			g.server.Advance(test.lifetime - time.Minute)
			g.wantPage("in time", v.get("/page"))
			g.server.Advance(time.Minute + 30*time.Second) // what the service said is used for 30 s
			g.wantLogin("too late", v.get("/page"), nil)
		})
	}
}

// The service may say little, or odd things.
func TestWebRequire_OddIntrospections(t *testing.T) {
	t.Parallel()
	const linked, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	authenticated := func(id, more string) string {
		return `"username":"alice@lab.example.org","identity_set_detail":[{"id":"` + linked + `","username":"alice@clinic.example"}],
			"session_info":{"authentications":{"` + id + `":{"auth_time":NOW` + more + `}}}`
	}
	mfa, clinic, fresh := login.Demand{MFA: true}, login.Demand{SessionDomains: []string{"Clinic.example"}}, login.Demand{Fresh: time.Minute}
	policy := login.Demand{Policies: []string{linked}}
	for name, test := range map[string]struct {
		demand login.Demand
		said   string
		met    bool
	}{
		"linked identity":             {clinic, authenticated(linked, ""), true},
		"own identity":                {clinic, authenticated("SUB", ""), false},
		"no username":                 {clinic, `"identity_set_detail":[{"sub":"` + linked + `"}],"session_info":{"authentications":{"` + linked + `":{}}}`, false},
		"identity of another person":  {fresh, authenticated(other, `,"amr":["mfa"]`), false},
		"linked, fresh":               {fresh, authenticated(linked, ""), true},
		"no time":                     {fresh, `"session_info":{"authentications":{"SUB":{"auth_time":null}}}`, false},
		"session_info null":           {fresh, `"session_info":null`, false},
		"authentications null":        {fresh, `"session_info":{"authentications":null}`, false},
		"second factor":               {mfa, authenticated("SUB", `,"amr":["pwd","mfa"]`), true},
		"amr null":                    {mfa, authenticated("SUB", `,"amr":null`), false},
		"policy satisfied":            {policy, `"policy_evaluations":{"` + linked + `":{"evaluation":true}}`, true},
		"policy not satisfied":        {policy, `"policy_evaluations":{"` + linked + `":{"evaluation":false}}`, false},
		"policy not evaluated":        {policy, `"policy_evaluations":{}`, false},
		"policy_evaluations are null": {policy, `"policy_evaluations":null`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGlobus(t, nil)
			v := g.visitor()
			g.loginAs(v, alice, "/login")
			said := strings.NewReplacer("SUB", g.whole(v).Claims.Sub, "NOW", strconv.FormatInt(g.server.Now().Unix(), 10)).Replace(`{"active":true,"sub":"SUB",` + test.said + `}`)
			g.server.Inject(authtest.Fault{Kind: authtest.FaultMalformed, Operation: "introspect", Body: said})
			g.require(test.demand)
			if got := v.get("/page"); test.met {
				g.wantPage("page", got)
			} else {
				g.wantLogin("page", got, nil)
			}
		})
	}
}

func TestWebRequire_TokensRevoked(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	g.require(login.Demand{MFA: true})
	v := g.visitor()
	g.loginAs(v, alice, "/page")
	g.wantPage("at first", v.get("/page"))
	g.server.RevokeConsents(alice)
	g.server.Advance(30 * time.Second)
	g.wantLogin("after consent was withdrawn", v.get("/page"), nil)
}

func TestWebRequire_AsksServiceOnceIn30Seconds(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	g.require(login.Demand{MFA: true})
	v := g.visitor()
	g.loginAs(v, alice, "/page")
	for range 5 {
		g.wantPage("page", v.get("/page"))
	}
	if got := g.count("introspect"); got != 1 {
		t.Errorf("%d introspections, want 1", got)
	}
	g.server.Advance(30 * time.Second)
	g.wantPage("page", v.get("/page"))
	// Other policies are another question.
	g.require(login.Demand{Policies: []string{g.policy()}})
	g.wantPage("page", v.get("/page"))
	if got := g.count("introspect"); got != 3 {
		t.Errorf("%d introspections, want 3", got)
	}
}

func TestWebRequire_ServiceFails(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	g.require(login.Demand{MFA: true})
	v := g.visitor()
	g.loginAs(v, alice, "/page")
	id := g.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "introspect", Status: http.StatusServiceUnavailable, RetryAfter: 7})
	if got := v.get("/page"); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "the page of") || got.header.Get("Retry-After") != "7" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v", got)
	}
	g.server.ClearFaults(id)
	g.wantPage("afterwards", v.get("/page"))
}

func TestWebRequire_SessionsFail(t *testing.T) {
	t.Parallel()
	failing := ""
	g := newGlobus(t, func(c *login.WebConfig) {
		c.Sessions = failingSessions{&login.MemorySessions{}, func(call string) bool { return call == failing }}
	})
	g.require(login.Demand{MFA: true})
	v := g.visitor()
	g.loginAs(v, alice, "/page")
	for _, call := range []string{"get session", "get check"} {
		failing = call
		if got := v.get("/page"); got.status < 500 || strings.Contains(got.body, errTest.Error()) {
			t.Errorf("%s: %v", call, got)
		}
	}
	failing = "add check" // costs time only
	g.wantPage(failing, v.get("/page"))
	if len(g.errors()) != 3 {
		t.Errorf("told %v", g.errors())
	}
}

func TestWebRequire_NotAPage(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	v := g.visitor()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		for _, test := range []struct {
			method string
			header http.Header
			json   bool
		}{
			{http.MethodPost, nil, false},
			{http.MethodGet, http.Header{"Accept": {"application/json"}}, true},
			{http.MethodGet, http.Header{"Accept": {"*/*"}, "Sec-Fetch-Dest": {"empty"}}, true},
			{http.MethodGet, http.Header{"Accept": {"image/*"}, "Sec-Fetch-Dest": {"image"}}, false},
		} {
			got := v.send(test.method, "/page", test.header)
			if got.status != status || test.json != (got.header.Get("Content-Type") == "application/problem+json") {
				t.Errorf("%v: %v, want %d", test, got, status)
			}
		}
		g.loginAs(v, alice, "/login")
		g.require(login.Demand{MFA: true})
	}
	if len(v.Jar.Cookies(mustParse(t, g.URL))) != 1 {
		t.Error("a login was started")
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestWebRequire_AddressOfAnotherSite(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	for _, address := range []string{"//evil.example/page", "http://evil.example/page", `/\evil.example/page`} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/page", http.NoBody)
		r.RequestURI = address
		w := httptest.NewRecorder()
		if _, ok := g.web.Require(w, r, login.Demand{}); ok || w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "evil") {
			t.Errorf("%s: status %d, %s", address, w.Code, w.Body)
		}
	}
}

func TestWebRequire_WithoutOpenID(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, func(c *login.WebConfig) { c.Flow.Scopes = scopes.List{scopes.TransferAll} })
	g.require(login.Demand{MFA: true})
	v := g.visitor()
	g.loginAs(v, alice, "/page")
	if got := v.get("/page"); got.status < 500 || len(g.errors()) != 1 || !strings.Contains(g.errors()[0].Error(), "Flow.Scopes must have openid") {
		t.Errorf("got %v, told %v", got, g.errors())
	}
}

func TestWebRequire_SessionTellsWhoAuthenticated(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	var session *login.Session
	g.serve(func(w http.ResponseWriter, r *http.Request) {
		session, _ = g.web.Require(w, r, login.Demand{Fresh: time.Hour})
	})
	v := g.visitor()
	now := g.server.Now()
	g.loginAs(v, alice, "/page")
	g.server.Advance(time.Minute)
	v.get("/page")
	if session == nil {
		t.Fatal("no session")
	}
	authentication := session.Introspection.SessionInfo.Authentications[session.Claims.Sub]
	if age := authentication.AuthTime.Sub(now); age < -time.Second || age > 10*time.Second || !slices.Equal(authentication.AMR, []string{"pwd"}) {
		t.Errorf("authentication %v, want one at %v", authentication, now)
	}
}

// A service demands more than the session has: a login, once.
func TestWebLogin_ServiceDemands(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	g.serve(func(w http.ResponseWriter, r *http.Request) {
		g.web.Login(w, r, apierror.AuthorizationParameters{RequiredScopes: []string{string(scopes.TransferAll)}, SessionMessage: "Because."})
	})
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	sent := v.get("/page?id=1")
	g.wantLogin("the demand", sent, url.Values{"scope": {"openid " + string(scopes.TransferAll)}, "session_message": {"Because."}})
	if back := g.callback(v, g.server.Browser(alice), sent, nil); back.header.Get("Location") != "/page?id=1" || len(g.session(v).All()) != 2 {
		t.Errorf("callback: %v", back)
	}
	if got := v.get("/page?id=1"); got.status != http.StatusForbidden {
		t.Errorf("the same demand again: %v", got)
	}
	// Another demand is another login.
	g.serve(func(w http.ResponseWriter, r *http.Request) {
		g.web.Login(w, r, apierror.AuthorizationParameters{Prompt: "login"})
	})
	g.wantLogin("another demand", v.get("/page"), url.Values{"prompt": {"login"}})
}

// garbled are sessions that another program has overwritten.
type garbled struct{ login.Sessions }

func (s garbled) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := s.Sessions.Get(ctx, key)
	if data != nil && strings.HasPrefix(key, "session-") {
		data = []byte(`{"accounts":[{"tokens":"SECRET"}]}`)
	}
	return data, err
}

func TestWebSession_Unreadable(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, func(c *login.WebConfig) { c.Sessions = garbled{&login.MemorySessions{}} })
	v := g.visitor()
	for range 2 {
		if back := g.loginAs(v, alice, "/login"); back.status != http.StatusSeeOther {
			t.Fatalf("callback: %v", back)
		}
		g.wantLogin("page", v.get("/page"), nil)
	}
	if len(g.errors()) == 0 {
		t.Error("OnError was not told")
	}
	for _, err := range g.errors() {
		noSecrets(t, "OnError", err.Error())
	}
}

// A session has the claims that OnLogin saw.
func TestWebSession_Claims(t *testing.T) {
	t.Parallel()
	var seen login.Account
	g := newGlobus(t, func(c *login.WebConfig) {
		c.Flow.Scopes = scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail, scopes.AuthViewIdentitySet}
		c.OnLogin = func(_ *http.Request, result *login.Result) error {
			seen = result.Account
			return nil
		}
	})
	g.server.AddUser(authtest.User{Username: "alice@clinic.example", Email: "a@clinic.example"})
	g.server.Link(alice, "alice@clinic.example")
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	session := g.whole(v)
	if diff := cmp.Diff(seen.Claims, session.Claims, cmpopts.IgnoreUnexported(*seen.Claims)); diff != "" || len(seen.Claims.IdentitySet) != 2 || !seen.Tokens.Equal(session.Tokens) {
		t.Errorf("claims of the session (-seen +kept):\n%s", diff)
	}
}
