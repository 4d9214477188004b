// Package apptest connects clients ([Client]) and apps ([Config]) of this module with a
// test double of package authtest, in one line each. Nothing is stored outside of memory.
//
//	server := authtest.New(t)
//	config := apptest.Config(t, server, "alice@example.edu")
//	config.Scopes = scopes.List{scopes.TransferAll}
//	user, err := app.NewUser(config)
package apptest

import (
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens"
)

// Client returns a client of the server, on the server's clock, which also passes the time before
// retries: no test sleeps. A failure ends the test.
func Client(tb testing.TB, server *authtest.Server) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL(), HTTPClient: server.Client(), Now: server.Now, Wait: server.Wait})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// Config returns the configuration of an app for a user: the first native client of
// the server, a store in memory, and a login in which the user consents to
// everything. Add Scopes. For a service, set ClientID and ClientSecret, and Login
// to nil.
func Config(tb testing.TB, server *authtest.Server, username string) app.Config {
	tb.Helper()
	return app.Config{
		Client: Client(tb, server), ClientID: server.Ready().NativeClientID, Name: "test",
		Store: tokens.NewMemory(), Login: login.Func(server.Browser(username)),
	}
}
