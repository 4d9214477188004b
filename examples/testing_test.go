package examples_test

import (
	"errors"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/scopes"
)

// newUser returns an app of the user alice, and its server.
func newUser(t *testing.T) (*authtest.Server, *app.App) {
	t.Helper()
	server := authtest.New(t)
	alice := server.AddUser(authtest.User{Username: "alice@lab.example.org", Name: "Alice"})
	config := apptest.Config(t, server, alice.Username)
	config.Scopes = scopes.List{scopes.TransferAll}
	user, err := app.NewUser(config)
	if err != nil {
		t.Fatal(err)
	}
	return server, user
}

func TestAppSource_RenewsExpiredToken(t *testing.T) {
	t.Parallel()
	server, user := newUser(t)
	source := user.Source(scopes.TransferResourceServer)
	before, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Advance(49 * time.Hour) // an access token is valid for 48
	after, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.AccessToken == before.AccessToken {
		t.Error("the token was not renewed")
	}
	if got := server.Stats().Grants["refresh_token"]["ok"]; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

func TestAppSource_ServiceUnavailable(t *testing.T) {
	t.Parallel()
	server, user := newUser(t)
	server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "token", Status: 503, Times: 1})
	_, err := user.Source(scopes.TransferResourceServer).Token(t.Context())
	if !errors.Is(err, apierror.ErrServer) {
		t.Errorf("got %v, want a server error", err)
	}
	// A code is never sent twice. The next attempt is a new login.
	if _, err := user.Source(scopes.TransferResourceServer).Token(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAuthClient_SendsRequest(t *testing.T) {
	t.Parallel()
	server, user := newUser(t)
	if _, err := user.AuthClient().GetUserinfo(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.AssertRequested(authtest.Request{Operation: "getUserinfo"})
}

func TestClient_RetriesAfter429(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	auth := apptest.Client(t, server)
	server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: 429, RetryAfter: 5, Times: 3})
	if _, err := auth.GetJWKS(t.Context()); err != nil { // waits 15 s of the server's time
		t.Error(err)
	}
}
