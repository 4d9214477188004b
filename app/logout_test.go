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
)

func TestAppLogin_IdentityMismatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	before := token(t, user.Source(scopes.TransferResourceServer))
	w.person.become(w.Ready().Users[1].Username)
	err := user.Login(t.Context(), app.LoginOptions{Force: true})
	wantLogin(t, err, app.ErrIdentityMismatch)
	if got := token(t, user.Source(scopes.TransferResourceServer)); got != before || w.stored(t, scopes.TransferResourceServer) != before {
		t.Errorf("token %v", got)
	}
	revoked := 0
	for _, request := range w.Requests() {
		if strings.HasSuffix(request.Path, "/revoke") {
			revoked++
		}
	}
	if revoked != 4 { // access and refresh token of two resource servers
		t.Errorf("%d tokens of the other person revoked", revoked)
	}
	// After a logout anybody may log in.
	if err := user.Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := token(t, user.Source(scopes.TransferResourceServer)); got.IdentityID != w.Ready().Users[1].IdentityID {
		t.Errorf("token %v of %s", got, got.IdentityID)
	}
}

func TestAppLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.Scopes = append(c.Scopes, scopes.GroupsAll) })
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	auth := w.stored(t, scopes.AuthResourceServer)
	if !w.active(t, auth.AccessToken) {
		t.Fatal("not logged in")
	}
	// Also of what only another program of the same login needs.
	narrow := w.user(t, func(c *app.Config) { c.NoLogin = true })
	source := narrow.Source(scopes.TransferResourceServer)
	token(t, source)
	if err := narrow.Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.active(t, auth.AccessToken) || len(w.valid()) != 0 {
		t.Errorf("%d tokens are still valid", len(w.valid()))
	}
	if keys, err := w.store.Keys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("keys %v, %v", keys, err)
	}
	_, err := source.Token(t.Context())
	wantLogin(t, err, app.ErrMissingToken)
	if err := narrow.Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Errorf("a second logout: %v", err)
	}
}

// Tokens that could not be revoked are kept, so that the next logout can.
func TestAppLogout_ServiceUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	all := w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusServiceUnavailable, Operation: "revoke"})
	if err := user.Logout(t.Context(), app.LogoutOptions{}); !errors.Is(err, apierror.ErrServer) || strings.Contains(err.Error(), "\n") ||
		strings.Count(err.Error(), "token for ") != 2 {
		t.Errorf("error %v", err)
	}
	w.ClearFaults(all)
	w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusServiceUnavailable, Operation: "revoke", Nth: 3})
	if err := user.Logout(t.Context(), app.LogoutOptions{}); !errors.Is(err, apierror.ErrServer) {
		t.Errorf("error %v", err)
	}
	set, err := user.Tokens(t.Context())
	if err != nil || len(set.All()) != 1 {
		t.Errorf("left %v, %v", set, err)
	}
	if err := user.Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Error(err)
	}
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Inject(authtest.Fault{Kind: authtest.FaultDropBefore, Operation: "revoke"})
	if err := user.Logout(t.Context(), app.LogoutOptions{Forget: true}); err == nil {
		t.Error("no error")
	}
	if set, err := user.Tokens(t.Context()); err != nil || len(set.All()) != 0 {
		t.Errorf("left %v, %v", set, err)
	}
}
