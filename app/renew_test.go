package app_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func TestAppRenew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{RotateRefreshTokens: true})
	user := w.user(t, nil)
	_, err := user.Renew(t.Context())
	wantLogin(t, err, app.ErrMissingToken)
	source := user.Source(scopes.TransferResourceServer)
	first := token(t, source)
	set, err := user.Renew(t.Context())
	if err != nil || len(set.All()) != 2 || w.grants("refresh_token")["ok"] != 2 || w.person.count() != 1 {
		t.Errorf("%v, %v, %d logins", set, err, w.person.count())
	}
	got, _ := set.ByResourceServer(scopes.TransferResourceServer)
	if got == first || got != w.stored(t, scopes.TransferResourceServer) || got != token(t, source) {
		t.Errorf("returned %v, stored %v", got, w.stored(t, scopes.TransferResourceServer))
	}
}

// What was renewed before and after a failure is stored and returned.
func TestAppRenew_OneFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{RotateRefreshTokens: true})
	user := w.user(t, func(c *app.Config) { c.Scopes = append(c.Scopes, scopes.GroupsAll) })
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	before, err := user.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusServiceUnavailable, Operation: "token", Nth: 2})
	set, err := user.Renew(t.Context())
	failed := before.All()[1]
	if !errors.Is(err, apierror.ErrServer) || strings.Count(err.Error(), "token for ") != 1 || !strings.Contains(err.Error(), failed.ResourceServer) {
		t.Errorf("error %v", err)
	}
	for _, old := range before.All() {
		got, _ := set.ByResourceServer(old.ResourceServer)
		if renewed := got.AccessToken != old.AccessToken; renewed == (old == failed) || got != w.stored(t, old.ResourceServer) {
			t.Errorf("%v is renewed: %t", got, renewed)
		}
	}
	if got := token(t, user.Source(failed.ResourceServer)); got != failed {
		t.Errorf("got %v, the token that is still good", got)
	}
	if set, err = user.Renew(t.Context()); err != nil || w.person.count() != 1 {
		t.Errorf("the next attempt: %v, %v", set, err)
	}
}

// A token without a refresh token stays usable.
func TestAppRenew_NotRenewable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.NoLogin = true })
	token(t, w.user(t, nil).Source(scopes.TransferResourceServer))
	w.change(t, func(s *tokens.Token) {
		if s.ResourceServer == scopes.TransferResourceServer {
			s.RefreshToken = ""
		}
	})
	old := w.stored(t, scopes.TransferResourceServer)
	_, err := user.Renew(t.Context())
	wantLogin(t, err, app.ErrMissingRefreshToken)
	if got := token(t, user.Source(scopes.TransferResourceServer)); got != old || w.grants("refresh_token")["ok"] != 1 {
		t.Errorf("token %v, refreshes %v", got, w.grants("refresh_token"))
	}
}

// One grant renews all tokens of a service.
func TestNewService_Renew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, func(c *app.Config) { c.Scopes = append(c.Scopes, scopes.GroupsAll) })
	first := token(t, service.Source(scopes.TransferResourceServer))
	set, err := service.Renew(t.Context())
	if got, _ := set.ByResourceServer(scopes.TransferResourceServer); err != nil || got.AccessToken == first.AccessToken ||
		w.grants("client_credentials")["ok"] != 2 {
		t.Errorf("%v, %v, grants %v", set, err, w.grants("client_credentials"))
	}
	if got := token(t, service.Source(scopes.TransferResourceServer)); got.AccessToken == first.AccessToken {
		t.Error("the token from before")
	}
}
