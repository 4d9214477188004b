package login_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

// link presses the button that links another account.
func (g *globus) link(v visitor) page {
	g.t.Helper()
	return v.send(http.MethodPost, "/link?next=/accounts", http.Header{"Sec-Fetch-Site": {"same-origin"}})
}

func (g *globus) linkAs(v visitor, username string) page {
	g.t.Helper()
	return g.callback(v, g.server.Browser(username), g.link(v), nil)
}

// wantAccounts wants a session of these users, the first of which has logged in.
func (g *globus) wantAccounts(v visitor, usernames ...string) *login.Session {
	g.t.Helper()
	session := g.whole(v)
	if session == nil {
		g.t.Fatal("there is no session")
	}
	accounts := append([]login.Account{session.Account}, session.Linked...)
	if len(accounts) != len(usernames) {
		g.t.Fatalf("%d accounts, want %q", len(accounts), usernames)
	}
	for i, account := range accounts {
		if account.Claims.PreferredUsername != usernames[i] {
			g.t.Errorf("account %d is %q, want %q", i, account.Claims.PreferredUsername, usernames[i])
		}
		g.wantActive(usernames[i], account.Tokens, true)
	}
	return session
}

// newProfiles is newGlobus with usernames in the claims.
func newProfiles(t *testing.T, change func(*login.WebConfig)) *globus {
	t.Helper()
	return newGlobus(t, func(c *login.WebConfig) {
		c.Flow.Scopes = append(c.Flow.Scopes, scopes.AuthProfile)
		if change != nil {
			change(c)
		}
	})
}

func TestWebLink_AnotherIdentity(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	v := g.visitor()
	g.loginAs(v, alice, "/login?more="+url.QueryEscape(scopes.TransferAll.Name()))
	sent := g.link(v)
	g.wantLogin("link", sent, url.Values{"prompt": {"login"}})
	if back := g.callback(v, g.server.Browser(bob), sent, nil); back.header.Get("Location") != "/accounts" {
		t.Fatalf("callback: %v", back)
	}
	g.wantAccounts(v, alice, bob)
	// The same account again replaces its tokens, and the own one is merged.
	g.linkAs(v, bob)
	g.linkAs(v, alice)
	session := g.wantAccounts(v, alice, bob)
	if len(session.Tokens.All()) != 2 {
		t.Errorf("alice has %v", session.Tokens)
	}
	g.wantActive("the first link", g.logins[1], false)
	// A further login of the same person keeps them.
	g.loginAs(v, alice, "/login")
	session = g.wantAccounts(v, alice, bob)
	if out := v.send(http.MethodPost, "/logout", nil); out.status != http.StatusSeeOther {
		t.Fatalf("logout: %v", out)
	}
	g.wantActive("alice", session.Tokens, false)
	g.wantActive("bob", session.Linked[0].Tokens, false)
	if len(g.errors()) != 0 {
		t.Errorf("told %v", g.errors())
	}
}

// A linked identity that logs in itself has a session of its own.
func TestWebLink_LinkedIdentityLogsIn(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	g.linkAs(v, bob)
	g.loginAs(v, bob, "/login")
	g.wantAccounts(v, bob)
	g.wantActive("alice", g.logins[0], false)
	g.wantActive("the link", g.logins[1], false)
}

func TestWebLink_Refuses(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	v := g.visitor()
	if got := g.link(v); got.status != http.StatusUnauthorized {
		t.Errorf("without a session: %v", got)
	}
	g.loginAs(v, alice, "/login")
	if got := v.get("/link"); got.status != http.StatusForbidden {
		t.Errorf("GET: %v", got)
	}
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
		if got := v.send(http.MethodPost, "/link", header); got.status != http.StatusForbidden {
			t.Errorf("%v: %v", header, got)
		}
	}
	if got := v.send(http.MethodPost, "/link?next=//evil.example", nil); got.status != http.StatusBadRequest {
		t.Errorf("next: %v", got)
	}
	g.wantAccounts(v, alice)
}

func TestWebLink_WithoutOpenID(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, func(c *login.WebConfig) { c.Flow.Scopes = scopes.List{scopes.TransferAll} })
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	if got := g.linkAs(v, bob); got.status != http.StatusForbidden || !strings.Contains(g.errors()[0].Error(), "openid") {
		t.Errorf("got %v, told %v", got, g.errors())
	}
	if !g.session(v).Equal(g.logins[0]) {
		t.Error("the session has changed")
	}
}

// The session must be the one in which linking began.
func TestWebLink_AnotherSession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(g *globus, v visitor)
		want      string // who is logged in
	}{
		"logged out":      {func(_ *globus, v visitor) { v.send(http.MethodPost, "/logout", nil) }, ""},
		"another person":  {func(g *globus, v visitor) { g.loginAs(v, "carol@lab.example.org", "/login") }, "carol@lab.example.org"},
		"logged in again": {func(g *globus, v visitor) { g.loginAs(v, alice, "/login") }, alice},
		"expired":         {func(g *globus, _ visitor) { g.server.Advance(time.Minute) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newProfiles(t, func(c *login.WebConfig) { c.SessionTime = time.Minute })
			g.server.AddUser(authtest.User{Username: "carol@lab.example.org"})
			v := g.visitor()
			g.loginAs(v, alice, "/login")
			sent := g.link(v)
			test.meanwhile(g, v)
			before := g.count("token")
			if back := g.callback(v, g.server.Browser(bob), sent, nil); back.status != http.StatusForbidden || g.count("token") != before {
				t.Errorf("callback: %v, %d exchanges", back, g.count("token")-before)
			}
			if test.want != "" {
				g.wantAccounts(v, test.want)
			} else if g.whole(v) != nil {
				t.Error("there is a session")
			}
		})
	}
}

func TestWebLink_LoggedOutDuringExchange(t *testing.T) {
	t.Parallel()
	var v visitor
	var tokens []login.Account
	g := newProfiles(t, func(c *login.WebConfig) {
		c.OnLogin = func(_ *http.Request, result *login.Result) error {
			tokens = append(tokens, result.Account)
			if result.Link {
				v.send(http.MethodPost, "/logout", nil)
			}
			return nil
		}
	})
	v = g.visitor()
	g.loginAs(v, alice, "/login")
	if got := g.linkAs(v, bob); got.status != http.StatusForbidden || g.whole(v) != nil {
		t.Errorf("got %v", got)
	}
	for _, account := range tokens {
		g.wantActive(account.Claims.PreferredUsername, account.Tokens, false)
	}
}

// A callback that began in the attacker's browser links nothing in another.
func TestWebLink_CallbackOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	attacker, victim := g.visitor(), g.visitor()
	g.loginAs(attacker, bob, "/login")
	g.loginAs(victim, alice, "/login")
	callback, err := g.server.Login(t.Context(), bob, g.link(attacker).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if got := victim.get(callback.String()); got.header.Get("Location") != "/" {
		t.Errorf("callback: %v", got)
	}
	g.wantAccounts(victim, alice)
}

// What a linked account, or another person at Globus, has done counts for no demand.
func TestWebLink_DemandsOfAnotherIdentity(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	v := g.visitor()
	at := g.server.Browser(bob)
	g.loginAs(v, alice, "/login")
	// Bob has a second factor at Globus.
	g.require(login.Demand{MFA: true})
	g.callback(g.visitor(), at, g.visitor().get("/page"), nil)
	g.callback(v, at, g.link(v), nil)
	g.wantAccounts(v, alice, bob)
	g.wantLogin("a factor of bob", v.get("/page"), nil)
	g.server.Advance(2 * time.Hour)
	g.linkAs(v, bob)
	g.require(login.Demand{Fresh: time.Hour})
	g.wantLogin("a login of bob", v.get("/page"), nil)
}

func TestWebLink_RefusedByOnLogin(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	g.refuse = true
	if got := g.linkAs(v, bob); got.status != http.StatusForbidden {
		t.Errorf("got %v", got)
	}
	g.wantActive("bob", g.logins[1], false)
	g.wantAccounts(v, alice)
}

func TestWebLink_TooMany(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, nil)
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	names := []string{alice}
	for i := range 9 {
		name := fmt.Sprintf("user%d@lab.example.org", i)
		g.server.AddUser(authtest.User{Username: name})
		got := g.linkAs(v, name)
		if i < 8 {
			names = append(names, name)
		} else if got.status != http.StatusForbidden || !strings.Contains(got.body, "The account was not linked") {
			t.Errorf("link %d: %v", i, got)
		}
	}
	g.wantAccounts(v, names...)
	if count := g.count("revoke"); len(g.logins) != 9 || count != 2 {
		t.Errorf("%d logins, %d tokens revoked", len(g.logins), count)
	}
}

// Linking does not make a session longer.
func TestWebLink_SessionTime(t *testing.T) {
	t.Parallel()
	g := newProfiles(t, func(c *login.WebConfig) { c.SessionTime = time.Hour })
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	g.server.Advance(50 * time.Minute)
	g.linkAs(v, bob)
	g.wantAccounts(v, alice, bob)
	g.server.Advance(10 * time.Minute)
	if g.whole(v) != nil {
		t.Error("the session has not ended")
	}
}

// OnLogin decides with everything that is known of a login.
func TestWeb_OnLoginResult(t *testing.T) {
	t.Parallel()
	var results []login.Result
	g := newProfiles(t, func(c *login.WebConfig) {
		c.OnLogin = func(_ *http.Request, result *login.Result) error {
			results = append(results, *result)
			switch {
			case result.Start.Query().Get("invite") == "abc":
				result.Data = []byte("invited")
				result.Next = "/welcome"
			case result.Link:
				result.Data = append(result.Data, '+')
			}
			result.Account = login.Account{} // is not OnLogin's to choose
			return nil
		}
	})
	v := g.visitor()
	if back := g.loginAs(v, alice, "/login?next=/jobs&invite=abc"); back.header.Get("Location") != "/welcome" {
		t.Errorf("callback: %v", back)
	}
	if got := string(g.wantAccounts(v, alice).Data); got != "invited" {
		t.Errorf("data %q", got)
	}
	g.loginAs(v, alice, "/login?next=/page")
	g.linkAs(v, bob)
	if got := string(g.wantAccounts(v, alice, bob).Data); got != "invited+" {
		t.Errorf("data %q", got)
	}
	g.loginAs(v, bob, "/login")
	if got := g.wantAccounts(v, bob).Data; len(got) != 0 {
		t.Errorf("bob has alice's data %q", got)
	}
	type summary struct {
		username, start, next, session, data string
		link                                 bool
	}
	var got []summary
	for _, r := range results {
		s := summary{r.Claims.PreferredUsername, r.Start.String(), r.Next, "", string(r.Data), r.Link}
		if r.Session != nil {
			s.session = r.Session.Claims.PreferredUsername
		}
		got = append(got, s)
	}
	want := []summary{
		{alice, "/login?next=/jobs&invite=abc", "/jobs", "", "", false},
		{alice, "/login?next=/page", "/page", alice, "invited", false},
		{bob, "/link?next=/accounts", "/accounts", alice, "invited", true},
		{bob, "/login", "/", alice, "", false},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWeb_OnLoginDataTooLong(t *testing.T) {
	t.Parallel()
	size := 4096
	var last login.Result
	g := newProfiles(t, func(c *login.WebConfig) {
		c.OnLogin = func(_ *http.Request, result *login.Result) error {
			last = *result
			result.Data = bytes.Repeat([]byte("x"), size)
			return nil
		}
	})
	v := g.visitor()
	g.loginAs(v, alice, "/login")
	if got := g.wantAccounts(v, alice).Data; len(got) != size {
		t.Errorf("%d bytes", len(got))
	}
	size++
	if got := g.loginAs(v, bob, "/login"); got.status != http.StatusServiceUnavailable {
		t.Errorf("got %v", got)
	}
	g.wantActive("bob", last.Tokens, false)
	g.wantAccounts(v, alice)
}

// A refused person gets the owner's page.
func TestWeb_RefusedPersonGetsPageOfOwner(t *testing.T) {
	t.Parallel()
	g := newGlobus(t, func(c *login.WebConfig) {
		c.Fail = func(w http.ResponseWriter, r *http.Request, f login.Failure) {
			if f.Err == errTest { //nolint:errorlint // it is not wrapped
				http.Redirect(w, r, "/apply", http.StatusSeeOther)
			}
		}
	})
	g.refuse = true
	if got := g.loginAs(g.visitor(), alice, "/login"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/apply" {
		t.Errorf("got %v", got)
	}
}
