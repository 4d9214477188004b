package login_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// portal is a web site with a Web, on https.
type portal struct {
	*httptest.Server
	t        *testing.T
	provider *provider
	web      *login.Web

	mu   sync.Mutex
	now  time.Time
	told []error
	page http.HandlerFunc // at /page; nil means one that requires a login
}

func (p *portal) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *portal) errors() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

// newPortal starts a portal; change may alter its configuration.
func newPortal(t *testing.T, change func(*login.WebConfig)) *portal {
	t.Helper()
	p := &portal{t: t, provider: newProvider(t), now: time.Unix(1_800_000_000, 0)}
	mux := http.NewServeMux()
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	config := login.WebConfig{
		Flow: flows.Config{
			Auth: p.provider.client(t, p.clock), ClientID: clientID, ClientSecret: clientSecret,
			Scopes: scopes.List{scopes.TransferAll}, RedirectURI: p.URL + "/cb", RefreshTokens: true,
		},
		OnError: func(_ *http.Request, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.told = append(p.told, err)
		},
	}
	if change != nil {
		change(&config)
	}
	web, err := login.NewWeb(config)
	if err != nil {
		t.Fatal(err)
	}
	p.web = web
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if more := r.URL.Query().Get("more"); more != "" {
			web.Login(w, r, apierror.AuthorizationParameters{RequiredScopes: []string{more}})
			return
		}
		web.Start(w, r)
	})
	mux.HandleFunc("/cb", web.Callback)
	mux.HandleFunc("/logout", web.Logout)
	mux.HandleFunc("/link", web.Link)
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		page := p.page
		p.mu.Unlock()
		page(w, r)
	})
	p.require(login.Demand{})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		session, err := web.Session(r)
		if err != nil {
			http.Error(w, "error", http.StatusInternalServerError)
			return
		}
		if session == nil {
			return
		}
		for _, token := range session.Tokens.All() {
			_, _ = io.WriteString(w, token.AccessToken)
		}
	})
	return p
}

// require makes /page require a demand.
func (p *portal) require(demand login.Demand) {
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		if session, ok := p.web.Require(w, r, demand); ok {
			_, _ = io.WriteString(w, "the page of "+session.Tokens.All()[0].IdentityID)
		}
	})
}

// serve sets the handler of /page.
func (p *portal) serve(page http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.page = page
}

// visitor is a browser that returns every response and does not follow redirects.
type visitor struct {
	*http.Client
	portal *portal
}

func (p *portal) visitor() visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	client := *p.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return visitor{&client, p}
}

func (v visitor) send(method, target string, header http.Header) page {
	t := v.portal.t
	t.Helper()
	if strings.HasPrefix(target, "/") {
		target = v.portal.URL + target
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	resp, err := v.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(body)}
}

func (v visitor) get(target string) page { return v.send(http.MethodGet, target, nil) }

// start begins a login and returns its callback.
func (v visitor) start(target string) (string, url.Values) {
	t := v.portal.t
	t.Helper()
	begun := v.get(target)
	if begun.status != http.StatusSeeOther {
		t.Fatalf("start: %v", begun)
	}
	redirect, callback, err := v.portal.provider.authorize(begun.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return redirect, callback
}

func (v visitor) who() string { return v.get("/who").body }

func (v visitor) login() {
	t := v.portal.t
	t.Helper()
	redirect, callback := v.start("/login")
	if got := v.get(redirect + "?" + callback.Encode()); got.status != http.StatusSeeOther {
		t.Fatalf("callback: %v", got)
	}
}

func TestWeb_LoginToLogout(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	if v.who() != "" {
		t.Error("a user is logged in")
	}
	redirect, callback := v.start("/login?next=" + url.QueryEscape("/jobs?id=1#top"))
	got := v.get(redirect + "?" + callback.Encode())
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/jobs?id=1#top" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("callback: %v", got)
	}
	if v.who() != "access-SECRET-1" {
		t.Errorf("logged in as %q", v.who())
	}
	if p.visitor().who() != "" {
		t.Error("another browser is logged in")
	}
	// A used callback sends no request, in any browser. A user who is logged in is
	// redirected to the page.
	if got := v.get(redirect + "?" + callback.Encode()); got.status != http.StatusSeeOther || got.header.Get("Location") != "/jobs?id=1#top" {
		t.Errorf("replay: %v", got)
	}
	if got := p.visitor().get(redirect + "?" + callback.Encode()); got.status != http.StatusBadRequest {
		t.Errorf("replay: %v", got)
	}
	if p.provider.count() != 1 {
		t.Errorf("%d exchanges", p.provider.count())
	}
	out := v.send(http.MethodPost, "/logout", http.Header{"Sec-Fetch-Site": {"same-origin"}})
	if out.status != http.StatusSeeOther || out.header.Get("Location") != "/" || v.who() != "" {
		t.Errorf("logout: %v", out)
	}
	if got := p.provider.revocations(); !slices.Equal(got, []string{"access-SECRET-1", "refresh-SECRET-1"}) {
		t.Errorf("revoked %q", got)
	}
	if out := v.send(http.MethodPost, "/logout", nil); out.status != http.StatusSeeOther || len(p.provider.revocations()) != 2 {
		t.Errorf("second logout: %v", out)
	}
	for _, err := range p.errors() {
		noSecrets(t, "OnError", err.Error(), callback.Get("state"))
	}
}

func TestWeb_Cookies(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	begun := v.get("/login?next=/jobs")
	redirect, callback, err := p.provider.authorize(begun.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	cookies := slices.Concat(begun.header.Values("Set-Cookie"), v.get(redirect+"?"+callback.Encode()).header.Values("Set-Cookie"))
	want := []string{"login-[0-7]=[\\w-]{500,900}", "session=[A-Z2-7]{26}", "login-[0-7]="}
	if len(cookies) != len(want) {
		t.Fatalf("cookies %q", cookies)
	}
	for i, text := range want {
		text = "^__Host-globus-auth-" + text + "; Path=/; Max-Age=[0-9]+; HttpOnly; Secure; SameSite=Lax$"
		if !regexp.MustCompile(text).MatchString(cookies[i]) {
			t.Errorf("cookie %q is not %s", cookies[i], text)
		}
		noSecrets(t, "the cookie", cookies[i], callback.Get("state"), "jobs")
	}
}

// On a loopback address without https browsers keep no secure cookies.
func TestWeb_CookiesWithoutHTTPS(t *testing.T) {
	t.Parallel()
	p := newPortal(t, func(c *login.WebConfig) { c.Flow.RedirectURI = "http://127.0.0.1:8000/cb" })
	got := p.visitor().get("/login").header.Get("Set-Cookie")
	if !strings.HasPrefix(got, "globus-auth-login-") || strings.Contains(got, "Secure") {
		t.Errorf("cookie %q", got)
	}
}

// Any number of logins in one browser, finished in any order.
func TestWeb_SeveralLogins(t *testing.T) {
	t.Parallel()
	p := newPortal(t, nil)
	v := p.visitor()
	type begun struct {
		redirect string
		callback url.Values
		next     string
	}
	var logins []begun
	for _, next := range []string{"/a", "/b", "/c"} {
		redirect, callback := v.start("/login?next=" + next)
		logins = append(logins, begun{redirect, callback, next})
	}
	for _, i := range []int{2, 0, 1} {
		got := v.get(logins[i].redirect + "?" + logins[i].callback.Encode())
		if got.status != http.StatusSeeOther || got.header.Get("Location") != logins[i].next {
			t.Errorf("login %d: %v", i, got)
		}
	}
}

func TestWeb_Times(t *testing.T) {
	t.Parallel()
	p := newPortal(t, func(c *login.WebConfig) { c.SessionTime = time.Hour })
	advance := func(d time.Duration) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.now = p.now.Add(d)
	}
	v := p.visitor()
	redirect, callback := v.start("/login")
	advance(time.Hour)
	if got := v.get(redirect + "?" + callback.Encode()); got.status != http.StatusBadRequest {
		t.Errorf("late callback: %v", got)
	}
	v.login()
	advance(time.Hour - time.Second)
	if v.who() == "" {
		t.Error("the session ended early")
	}
	advance(time.Second)
	if v.who() != "" {
		t.Error("the session did not end")
	}
}

func TestWeb_Hooks(t *testing.T) {
	t.Parallel()
	var known tokens.Set
	p := newPortal(t, func(c *login.WebConfig) {
		c.OnLogin = func(_ *http.Request, result *login.Result) error {
			known = result.Tokens
			return errTest
		}
		c.EndGlobusSession, c.Home = true, "/bye"
	})
	v := p.visitor()
	redirect, callback := v.start("/login")
	got := v.get(redirect + "?" + callback.Encode())
	if got.status != http.StatusForbidden || strings.Contains(got.body, errTest.Error()) || v.who() != "" || len(known.All()) != 1 {
		t.Errorf("turned away: %v", got)
	}
	out := v.send(http.MethodPost, "/logout", nil).header.Get("Location")
	want := p.provider.URL + "/v2/web/logout?" + url.Values{"client": {clientID}, "redirect_uri": {p.URL + "/bye"}, "redirect_name": {strings.TrimPrefix(p.URL, "https://")}}.Encode()
	if out != want {
		t.Errorf("logout leads to %q, want %q", out, want)
	}
}
