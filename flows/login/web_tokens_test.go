package login_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// globus is a portal whose people log in with Globus Auth. A login at /login?more=SCOPE
// asks for one more scope.
type globus struct {
	*portal
	server *authtest.Server
	flow   flows.Config

	mu     sync.Mutex
	refuse bool
	logins []tokens.Set // in the order in which they came
}

func newGlobus(t *testing.T, change func(*login.WebConfig)) *globus {
	t.Helper()
	g := &globus{server: authtest.New(t)}
	for _, name := range []string{"alice@lab.example.org", "bob@lab.example.org"} {
		g.server.AddUser(authtest.User{Username: name})
	}
	g.portal = newPortal(t, func(c *login.WebConfig) {
		auth, err := globusauth.New(globusauth.Config{
			BaseURL: g.server.BaseURL(), HTTPClient: g.server.Client(), Now: g.server.Now, MaxRetries: -1,
		})
		if err != nil {
			t.Fatal(err)
		}
		g.server.AddClient(authtest.Client{ID: clientID, Name: "portal", Secret: clientSecret, RedirectURIs: []string{c.Flow.RedirectURI}})
		c.Flow.Auth, c.Flow.Scopes = auth, scopes.List{scopes.AuthOpenID}
		c.OnLogin = func(_ *http.Request, result *login.Result) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.logins = append(g.logins, result.Tokens)
			if g.refuse {
				return errTest
			}
			return nil
		}
		if change != nil {
			change(c)
		}
		g.flow = c.Flow
	})
	return g
}

// loginAs logs in at a path of the portal, which starts a login.
func (g *globus) loginAs(v visitor, username, start string) page {
	g.t.Helper()
	return g.callback(v, g.server.Browser(username), v.get(start), nil)
}

// callback logs in where a page has sent the browser, and returns the response to the
// callback. It leaves out some parameters of the login.
func (g *globus) callback(v visitor, at atGlobus, sent page, without []string) page {
	g.t.Helper()
	target, err := url.Parse(sent.header.Get("Location"))
	if err != nil || sent.status != http.StatusSeeOther || !strings.HasPrefix(target.Path, "/v2/oauth2/authorize") {
		g.t.Fatalf("no login: %v", sent)
	}
	query := target.Query()
	for _, name := range without {
		query.Del(name)
	}
	target.RawQuery = query.Encode()
	callback, err := at(g.t.Context(), target.String())
	if err != nil {
		g.t.Fatal(err)
	}
	return v.get(callback.String())
}

// atGlobus is a browser that is signed in as a user.
type atGlobus = func(ctx context.Context, authorizeURL string) (*url.URL, error)

// session returns the tokens of the browser's session.
func (g *globus) session(v visitor) tokens.Set {
	g.t.Helper()
	if session := g.whole(v); session != nil {
		return session.Tokens
	}
	return tokens.Set{}
}

func (g *globus) whole(v visitor) *login.Session {
	g.t.Helper()
	r := httptest.NewRequestWithContext(g.t.Context(), http.MethodGet, g.URL, nil)
	for _, cookie := range v.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	session, err := g.web.Session(r)
	if err != nil {
		g.t.Fatal(err)
	}
	return session
}

// active counts the tokens of a set that the service still takes.
func (g *globus) active(set tokens.Set) (live, all int) {
	g.t.Helper()
	for _, token := range set.All() {
		all += 2
		who, err := g.flow.Introspect(g.t.Context(), token.AccessToken, flows.IntrospectOptions{})
		if err != nil {
			g.t.Fatal(err)
		}
		if who.Active {
			live++
		}
		switch _, err := g.flow.Refresh(g.t.Context(), token); {
		case err == nil:
			live++
		case !errors.Is(err, apierror.ErrInvalidGrant):
			g.t.Fatal(err)
		}
	}
	return live, all
}

func (g *globus) wantActive(what string, set tokens.Set, want bool) {
	g.t.Helper()
	if live, all := g.active(set); all == 0 || (want && live != all) || (!want && live != 0) {
		g.t.Errorf("%s: %d of %d tokens are active", what, live, all)
	}
}

func TestWebCallback_RefusedLoginIsRevoked(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	v := g.visitor()
	g.refuse = true
	got := g.loginAs(v, "alice@lab.example.org", "/login?next=/jobs")
	if got.status != http.StatusForbidden || strings.Contains(got.body, errTest.Error()) || !strings.Contains(got.body, `href="/login?next=/jobs"`) {
		t.Errorf("refused: %v", got)
	}
	g.wantActive("refused", g.logins[0], false)
	if len(g.session(v).All()) != 0 {
		t.Error("there is a session")
	}
}

func TestWebCallback_SessionThatCannotBeKeptIsRevoked(t *testing.T) {
	t.Parallel()
	failing := ""
	g := newGlobus(t, func(c *login.WebConfig) {
		c.Sessions = failingSessions{&login.MemorySessions{}, func(call string) bool { return call == failing }}
	})
	v := g.visitor()
	g.loginAs(v, "alice@lab.example.org", "/login")
	failing = "take session"
	if got := g.loginAs(v, "alice@lab.example.org", "/login"); got.status != http.StatusServiceUnavailable {
		t.Errorf("got %v", got)
	}
	g.wantActive("the session before", g.logins[0], true)
	g.wantActive("the login that could not end it", g.logins[1], false)
	failing = "add session"
	if got := g.loginAs(v, "alice@lab.example.org", "/login"); got.status != http.StatusServiceUnavailable {
		t.Errorf("got %v", got)
	}
	failing = ""
	g.wantActive("the session before, which was ended", g.logins[0], false)
	g.wantActive("the login that could not be kept", g.logins[2], false)
}

func TestWebCallback_SameIdentityAgain(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	v := g.visitor()
	g.loginAs(v, "alice@lab.example.org", "/login?more="+url.QueryEscape(scopes.TransferAll.Name()))
	g.loginAs(v, "alice@lab.example.org", "/login")
	set := g.session(v)
	if len(set.All()) != 2 {
		t.Errorf("the session holds %v", set)
	}
	g.wantActive("the session", set, true)
	g.wantActive("what was replaced", g.logins[0].Without(scopes.TransferResourceServer), false)
	if len(g.errors()) != 0 {
		t.Errorf("told %v", g.errors())
	}
}

func TestWebCallback_AnotherIdentityInTheSameBrowser(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	v := g.visitor()
	g.loginAs(v, "alice@lab.example.org", "/login?more="+url.QueryEscape(scopes.TransferAll.Name()))
	g.loginAs(v, "bob@lab.example.org", "/login")
	set := g.session(v)
	if !set.Equal(g.logins[1]) {
		t.Errorf("the session holds %v", set)
	}
	g.wantActive("bob's session", set, true)
	g.wantActive("alice's", g.logins[0], false)
}

// What cannot be revoked is told, and does not keep anybody from logging in.
func TestWebCallback_RevocationFails(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, nil)
	v := g.visitor()
	g.loginAs(v, "alice@lab.example.org", "/login")
	g.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "revoke", Status: http.StatusBadGateway})
	if got := g.loginAs(v, "bob@lab.example.org", "/login"); got.status != http.StatusSeeOther || !g.session(v).Equal(g.logins[1]) {
		t.Errorf("got %v", got)
	}
	if len(g.errors()) != 1 || !strings.Contains(g.errors()[0].Error(), "end the session before") || strings.Count(g.errors()[0].Error(), "Revoke:") != 2 {
		t.Errorf("told %v", g.errors())
	}
}

// impatientSessions end with the context.
type impatientSessions struct{ login.Sessions }

func (s impatientSessions) Take(ctx context.Context, key string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.Sessions.Take(ctx, key)
}

func (s impatientSessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return s.Sessions.Add(ctx, key, data, expiry)
}

// A browser that leaves during the exchange leaves no tokens behind that are neither
// kept nor revoked.
func TestWebCallback_BrowserLeavesDuringExchange(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{true, false} {
		testBrowserLeaves(t, refuse)
	}
}

func testBrowserLeaves(t *testing.T, refuse bool) {
	t.Helper()
	var leave context.CancelFunc
	g := newGlobus(t, func(c *login.WebConfig) {
		c.Sessions = impatientSessions{&login.MemorySessions{}}
		record := c.OnLogin
		c.OnLogin = func(r *http.Request, result *login.Result) error {
			leave()
			return record(r, result)
		}
	})
	g.refuse = refuse
	start := httptest.NewRecorder()
	g.web.Start(start, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/login", nil))
	callback, err := g.server.Login(t.Context(), "alice@lab.example.org", start.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	leave = cancel
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, callback.RequestURI(), nil)
	for _, cookie := range start.Result().Cookies() {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	g.web.Callback(w, r)
	g.wantActive("the login", g.logins[0], !refuse)
	if kept := w.Code == http.StatusSeeOther; kept == refuse {
		t.Errorf("status %d", w.Code)
	}
}
