package login_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

// Of many callbacks with one state at once, one is served.
func TestWeb_ReplayAtOnce(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	redirect, callback := v.start("/login")
	var served sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { served.Store(i, v.get(redirect+"?"+callback.Encode()).status) })
	}
	all.Wait()
	count := map[any]int{}
	served.Range(func(_, status any) bool { count[status]++; return true })
	// A callback after the first has ended finds the session and redirects to the site.
	if count[http.StatusSeeOther] == 0 || count[http.StatusSeeOther]+count[http.StatusBadRequest] != 8 || p.provider.count() != 1 {
		t.Errorf("statuses %v, %d exchanges", count, p.provider.count())
	}
}

func TestWeb_RefusesOpenRedirects(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	for _, next := range []string{
		"https://evil.example/", "//evil.example", `/\evil.example`, `\/evil.example`, "/\t/evil.example", "/\n/evil.example", "evil.example",
		"javascript:alert(1)", " /jobs", "/\u2028x", "/ok\r\nSet-Cookie: a=b", "/" + strings.Repeat("a", 3000), "///evil.example", "/%zz",
	} {
		got := v.get("/login?next=" + url.QueryEscape(next))
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" || strings.Contains(got.body, "evil") {
			t.Errorf("next %q: %v", next, got)
		}
	}
	for _, next := range []string{"/", "/jobs/1?a=b&c=//d", "/%2F%2Fevil.example"} {
		redirect, callback := v.start("/login?next=" + url.QueryEscape(next))
		if got := v.get(redirect + "?" + callback.Encode()).header.Get("Location"); got != next {
			t.Errorf("next %q led to %q", next, got)
		}
	}
}

// A callback of another browser does not log in.
func TestWeb_LoginCSRF(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	attacker, victim := p.visitor(), p.visitor()
	redirect, callback := attacker.start("/login")
	victim.start("/login") // the victim has a cookie of its own
	if got := victim.get(redirect + "?" + callback.Encode()); got.status != http.StatusBadRequest {
		t.Errorf("callback: %v", got)
	}
	if victim.who() != "" || p.provider.count() != 0 {
		t.Error("the victim is logged in")
	}
	// It is still the attacker's, to be used once.
	if got := attacker.get(redirect + "?" + callback.Encode()); got.status != http.StatusSeeOther {
		t.Errorf("callback: %v", got)
	}
}

// A session number that was planted before the login is not the one after it.
func TestWeb_SessionFixation(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	v.login()
	site, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := v.Jar.Cookies(site)
	thief := p.visitor()
	thief.Jar.SetCookies(site, before)
	if thief.who() != "access-SECRET-1" {
		t.Fatal("cookies do not carry the session")
	}
	v.login()
	if thief.who() != "" || v.who() != "access-SECRET-2" {
		t.Errorf("old session %q, new %q", thief.who(), v.who())
	}
}

func TestWebLogout_Refuses(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	v.login()
	if got := v.get("/logout"); got.status != http.StatusForbidden {
		t.Errorf("GET: %v", got)
	}
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		if got := v.send(http.MethodPost, "/logout", header); got.status != http.StatusForbidden {
			t.Errorf("%v: %v", header, got)
		}
	}
	if v.who() == "" {
		t.Error("logged out")
	}
	if got := v.send(http.MethodPost, "/logout", http.Header{"Origin": {p.URL}}); got.status != http.StatusSeeOther || v.who() != "" {
		t.Errorf("own page: %v", got)
	}
}

func TestWebCallback_Refuses(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	redirect, callback := v.start("/login")
	for name, query := range map[string]string{
		"empty":       "",
		"no state":    "code=" + callback.Get("code"),
		"two states":  callback.Encode() + "&state=x",
		"not a query": callback.Encode() + "&x=%zz",
	} {
		if got := v.get(redirect + "?" + query); got.status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, got)
		}
	}
	denied := url.Values{"error": {"access_denied"}, "error_description": {"<i>no</i>"}, "state": callback["state"]}
	got := v.get(redirect + "?" + denied.Encode())
	if got.status != http.StatusForbidden || strings.Contains(got.body, "no&lt;") || !strings.Contains(got.body, "canceled, or Globus denied it") {
		t.Errorf("denied: %v", got)
	}
	told := p.errors()
	if len(told) != 5 || !errors.Is(told[4], apierror.ErrAccessDenied) {
		t.Errorf("told %v", told)
	}
	// The login was forgotten before it was finished.
	if got := v.get(redirect + "?" + callback.Encode()); got.status != http.StatusBadRequest || p.provider.count() != 0 {
		t.Errorf("after a failure: %v", got)
	}
}

func TestNewWeb_Refuses(t *testing.T) {
	t.Parallel()
	flow := flows.Config{
		Auth: (&provider{}).offline(t).Auth, ClientID: clientID, ClientSecret: clientSecret,
		Scopes: scopes.List{scopes.TransferAll}, RedirectURI: "https://portal.example/cb",
	}
	for name, test := range map[string]struct {
		change func(*login.WebConfig)
		want   string
	}{
		"no client":       {func(c *login.WebConfig) { c.Flow.Auth = nil }, "Auth is nil"},
		"no secret":       {func(c *login.WebConfig) { c.Flow.ClientSecret = "" }, "ClientSecret is empty"},
		"no redirect URI": {func(c *login.WebConfig) { c.Flow.RedirectURI = "" }, "RedirectURI"},
		"elsewhere":       {func(c *login.WebConfig) { c.Home = "//evil.example" }, "Home"},
		"another site":    {func(c *login.WebConfig) { c.Home = "https://evil.example" }, "Home"},
	} {
		config := login.WebConfig{Flow: flow}
		test.change(&config)
		if _, err := login.NewWeb(config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	if _, err := login.NewWeb(login.WebConfig{Flow: flow}); err != nil {
		t.Error(err)
	}
}

// The address that started a login is where a failure's link leads: one that browsers
// read as another site starts none.
func TestWebStart_AddressOfAnotherSite(t *testing.T) {
	t.Parallel()
	web, err := login.NewWeb(login.WebConfig{Flow: flows.Config{
		Auth: (&provider{}).offline(t).Auth, ClientID: clientID, ClientSecret: clientSecret,
		Scopes: scopes.List{scopes.TransferAll}, RedirectURI: "https://portal.example/cb",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"//evil.example/login", "http://evil.example/login", `/\\evil.example/login`} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/login", http.NoBody)
		r.RequestURI = address
		w := httptest.NewRecorder()
		web.Start(w, r)
		if w.Code != http.StatusBadRequest || strings.Contains(w.Body.String(), "evil") {
			t.Errorf("%s: status %d, %s", address, w.Code, w.Body)
		}
	}
}
