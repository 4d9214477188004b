package app_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Programs that share a login and need different scopes of one resource server log in
// once each, not by turns.
func TestAppLogin_KeepsScopesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	one := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.AuthOpenID, scopes.AuthEmail} })
	two := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.AuthOpenID, scopes.AuthManageProjects} })
	three := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.GroupsViewMyGroups} })
	four := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.GroupsAll} })
	for range 3 {
		for _, user := range []*app.App{one, two} {
			got := token(t, user.Source(scopes.AuthResourceServer))
			if err := user.LoginRequired(t.Context()); err != nil {
				t.Error(err)
			}
			if user == two && !hasScopes(got.Scope, scopes.AuthManageProjects) {
				t.Errorf("token with the scopes %q", got.Scope)
			}
		}
		for _, user := range []*app.App{three, four} {
			token(t, user.Source(scopes.GroupsResourceServer))
		}
	}
	if w.person.count() != 4 {
		t.Errorf("%d logins", w.person.count())
	}
	if asked := w.person.last(t).Get("scope"); strings.Contains(asked, string(scopes.TransferAll)) {
		t.Errorf("asked for %q", asked)
	}
	// What another app of this process was granted, a source has as soon as it is asked for.
	if err := one.AddScopes(scopes.AuthManageProjects); err != nil {
		t.Fatal(err)
	}
	if got := token(t, one.Source(scopes.AuthResourceServer)); !hasScopes(got.Scope, scopes.AuthManageProjects) || w.person.count() != 4 {
		t.Errorf("token with the scopes %q, %d logins", got.Scope, w.person.count())
	}
}

// A token source notices that another program has stored a token with fewer scopes.
func TestAppSource_NarrowedByAnotherProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.AuthEmail} })
	source := user.Source(scopes.AuthResourceServer)
	token(t, source)
	w.change(t, func(s *tokens.Token) { s.Scope, s.AccessToken = "openid", s.AccessToken+"x" })
	w.Advance(time.Minute)
	wantLogin(t, user.LoginRequired(t.Context()), app.ErrUnmetScopes)
	if got := token(t, source); !hasScopes(got.Scope, scopes.AuthEmail) || w.person.count() != 2 {
		t.Errorf("token with the scopes %q, %d logins", got.Scope, w.person.count())
	}
}

// Services that share a store do not take scopes from each other either.
func TestNewService_KeepsScopesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	one := w.service(t, func(c *app.Config) { c.Store, c.Scopes = w.store, scopes.List{scopes.AuthOpenID, scopes.AuthEmail} })
	two := w.service(t, func(c *app.Config) {
		c.Store, c.Scopes = w.store, scopes.List{scopes.AuthOpenID, scopes.AuthViewIdentities}
	})
	for range 5 {
		for _, service := range []*app.App{one, two} {
			token(t, service.Source(scopes.AuthResourceServer))
			if err := service.LoginRequired(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	w.Advance(48 * time.Hour)
	for _, service := range []*app.App{one, two} {
		token(t, service.Source(scopes.AuthResourceServer))
		if err := service.LoginRequired(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := w.grants("client_credentials")["ok"]; got != 3 {
		t.Errorf("%d grants", got)
	}
}

// What a service demands of a person is shown, and is asked for in that login alone, until
// a program asks for it.
func TestAppLogin_ForgetsWhatAServiceDemanded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	logged := w.logged(t)
	picky := newPicky(t, `{"code":"ConsentRequired","required_scopes":["email","`+string(scopes.GroupsAll)+`"]}`)
	picky.after()
	user := w.user(t, func(c *app.Config) { c.RedriveGAREs = true })
	asksFor := func(who *app.App, wanted bool, list ...scopes.Scope) {
		t.Helper()
		if err := who.Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		for _, scope := range list {
			if asked := w.person.last(t).Get("scope"); hasScopes(asked, scope) != wanted {
				t.Errorf("asked for %q", asked)
			}
		}
	}
	client, err := user.HTTPClient(t.Context(), scopes.TransferResourceServer, picky.host())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := send(t, client, nil, picky.URL); err != nil {
		t.Fatal(err)
	}
	if !hasScopes(w.person.last(t).Get("scope"), scopes.AuthEmail, scopes.GroupsAll) || !strings.Contains(logged.String(), "email") ||
		!strings.Contains(logged.String(), picky.host()) {
		t.Errorf("logged %s", logged)
	}
	w.Advance(49 * time.Hour) // and a renewal widens nothing
	if got := token(t, user.Source(scopes.AuthResourceServer)); !hasScopes(got.Scope, scopes.AuthEmail) {
		t.Errorf("token with the scopes %q", got.Scope)
	}
	asksFor(user, false, scopes.AuthEmail, scopes.GroupsAll)
	groups := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.GroupsViewMyGroups} })
	asksFor(groups, false, scopes.GroupsAll)
	mail := w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.AuthEmail} })
	asksFor(mail, true, scopes.AuthEmail)
	asksFor(user, true, scopes.AuthEmail)
}

// A scope that was deleted at the service since another program asked for it stops one
// login: the page of the service says so, and the next login asks without it.
func TestAppLogin_AfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	token(t, w.user(t, func(c *app.Config) { c.Scopes = scopes.List{scopes.GroupsAll} }).Source(scopes.GroupsResourceServer))
	w.change(t, func(s *tokens.Token) {
		if s.ResourceServer == scopes.AuthResourceServer {
			s.Scope, s.Requested = s.Scope+" deleted", s.Requested+" deleted"
		}
	})
	for i := range 2 {
		user := w.user(t, nil) // as in a process of its own
		if err := user.Login(t.Context(), app.LoginOptions{}); (err != nil) != (i == 0) {
			t.Errorf("login %d: %v", i, err)
		}
	}
	if w.stored(t, scopes.GroupsResourceServer).AccessToken == "" {
		t.Error("the other program has no token any more")
	}
}

func TestAppSource_RenewBefore(t *testing.T) {
	t.Parallel()
	const margin = 6 * time.Hour
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.RenewBefore = margin })
	source := user.Source(scopes.TransferResourceServer)
	first := token(t, source)
	w.Advance(48*time.Hour - margin - time.Minute)
	if token(t, source) != first {
		t.Error("renewed too early")
	}
	w.Advance(2 * time.Minute)
	if got := token(t, source); got == first || w.person.count() != 1 {
		t.Errorf("token %v, %d logins", got, w.person.count())
	}
	// A token that cannot be renewed requires a login as early.
	token(t, user.Source(scopes.AuthResourceServer))
	w.change(t, func(s *tokens.Token) { s.RefreshToken = "" })
	online := w.user(t, func(c *app.Config) { c.RenewBefore, c.NoRefreshTokens = margin, true })
	plain := w.user(t, func(c *app.Config) { c.NoRefreshTokens, c.NoLogin = true, true })
	if err := online.LoginRequired(t.Context()); err != nil {
		t.Error(err)
	}
	w.Advance(48*time.Hour - margin)
	wantLogin(t, online.LoginRequired(t.Context()), app.ErrTokenExpired)
	if err := plain.LoginRequired(t.Context()); err != nil {
		t.Error(err)
	}
	token(t, plain.Source(scopes.TransferResourceServer))
	if got := token(t, online.Source(scopes.TransferResourceServer)); got.Expiry.Sub(w.Now()) < margin || w.person.count() != 2 {
		t.Errorf("token %v, %d logins", got, w.person.count())
	}
}

// A margin that no token can keep causes one login, not one for each call.
func TestAppSource_RenewBeforeLongerThanTheLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	source := w.user(t, func(c *app.Config) { c.RenewBefore, c.NoRefreshTokens = 72*time.Hour, true }).Source(scopes.TransferResourceServer)
	for range 3 {
		token(t, source)
		w.Advance(time.Hour)
	}
	if w.person.count() != 1 {
		t.Errorf("%d logins", w.person.count())
	}
}

// A scope that another program has stored and that is none does not keep a person from logging in.
func TestAppLogin_InvalidStoredScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	token(t, user.Source(scopes.TransferResourceServer))
	w.change(t, func(s *tokens.Token) { s.Scope, s.Requested = s.Scope+" a[", "" })
	if err := user.Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
		t.Error(err)
	}
}

// A renewal that was sent is stored before Close returns, although its caller has
// stopped waiting, and the next process has a login.
func TestAppClose_WaitsForARenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{RotateRefreshTokens: true})
	user := w.user(t, nil)
	source := user.Source(scopes.TransferResourceServer)
	first := token(t, source)
	w.Advance(49 * time.Hour)
	w.Inject(authtest.Fault{Kind: authtest.FaultLatency, Latency: 100 * time.Millisecond, Operation: "token"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := source.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if err := user.Close(ctx); err != nil { // ctx has ended, as after Ctrl-C
		t.Error(err)
	}
	if w.stored(t, scopes.TransferResourceServer).AccessToken == first.AccessToken {
		t.Error("the renewal is not stored")
	}
	token(t, w.user(t, func(c *app.Config) { c.NoLogin = true }).Source(scopes.TransferResourceServer))
}

func TestAppClose_WaitsForALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	w.person.hold = make(chan struct{})
	user := w.user(t, nil)
	ended := make(chan error, 1)
	go func() { ended <- user.Login(t.Context(), app.LoginOptions{}) }()
	w.person.waiting(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := user.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	close(w.person.hold)
	if err := user.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
