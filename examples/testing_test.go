package examples_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// browser is a login.Manager for tests: the person who does everything right.
type browser struct {
	server   *authtest.Server
	username string
}

func (b browser) Login(ctx context.Context, start login.Start) (tokens.Set, error) {
	begun, err := start("")
	if err != nil {
		return tokens.Set{}, err
	}
	callback, err := b.server.Login(ctx, b.username, begun.URL())
	if err != nil {
		return tokens.Set{}, err
	}
	return begun.Finish(ctx, callback.Query())
}

// newUser is an app whose person is alice, in a world of its own.
func newUser(t *testing.T) (*authtest.Server, *app.App) {
	t.Helper()
	server := authtest.New(t)
	alice := server.AddUser(authtest.User{Username: "alice@lab.example.org", Name: "Alice"})
	auth, err := globusauth.New(globusauth.Config{
		BaseURL: server.BaseURL(), HTTPClient: server.Client(),
		Now: server.Now, // one clock for both sides
	})
	if err != nil {
		t.Fatal(err)
	}
	user, err := app.NewUser(app.Config{
		Client: auth, ClientID: server.Ready().NativeClientID, Name: "my-tool",
		Scopes: scopes.List{scopes.TransferAll}, Store: tokens.NewMemory(),
		Login: browser{server, alice.Username},
	})
	if err != nil {
		t.Fatal(err)
	}
	return server, user
}

func TestTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	server, user := newUser(t)
	source := user.TokenSource(scopes.TransferResourceServer)
	before, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Advance(49 * time.Hour) // access tokens live for 48
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

func TestServiceIsDown(t *testing.T) {
	t.Parallel()
	server, user := newUser(t)
	server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "token", Status: 503, Times: 1})
	_, err := user.TokenSource(scopes.TransferResourceServer).Token(t.Context())
	if !errors.Is(err, apierror.ErrServer) {
		t.Errorf("got %v, want a server error", err)
	}
	// A code is never sent twice. The next attempt is a new login.
	if _, err := user.TokenSource(scopes.TransferResourceServer).Token(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	server, user := newUser(t)
	if _, err := user.AuthClient().GetUserinfo(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.AssertRequested(authtest.Request{Operation: "getUserinfo"})
}
