package app_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// emulator runs a test double of Globus Auth for an example.
func emulator() (server *authtest.Server, client *globusauth.Client, stop func()) {
	server, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	site := httptest.NewServer(server.Handler())
	client, err = globusauth.New(globusauth.Config{BaseURL: site.URL})
	if err != nil {
		log.Fatal(err)
	}
	return server, client, site.Close
}

// A service account: a token whenever one is needed, and a new one when it ends.
func ExampleNewService() {
	server, client, stop := emulator()
	defer stop()
	ready := server.Ready()

	svc, err := app.NewService(app.Config{
		ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret,
		Scopes: scopes.List{scopes.TransferAll},
		Client: client, // without one: production
	})
	if err != nil {
		log.Fatal(err)
	}
	token, err := svc.Source(scopes.TransferResourceServer).Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.ResourceServer, token.Scope)
	// Output: transfer.api.globus.org urn:globus:auth:scope:transfer.api.globus.org:all
}

// An unattended program must not open a browser. It says what is missing.
func ExampleApp_LoginRequired() {
	user, err := app.NewUser(app.Config{
		ClientID: "7fb58e00-839d-44e3-8047-10a502612dca", Name: "my-tool",
		Scopes: scopes.List{scopes.TransferAll}, Store: tokens.NewMemory(), NoLogin: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = user.LoginRequired(context.Background())
	fmt.Println(errors.Is(err, tokens.ErrLoginRequired), errors.Is(err, app.ErrMissingToken))
	_, err = user.HTTPClient(context.Background(), scopes.TransferResourceServer)
	fmt.Println(err)
	// Output:
	// true true
	// app: HTTP client for "transfer.api.globus.org": a new login is needed: no token is stored: log in first
}

// The client of a person's tool sends the right token and no other. Here the person is
// played by a login manager of the test.
func ExampleApp_HTTPClient() {
	server, client, stop := emulator()
	defer stop()
	jobs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("asked with a token:", r.Header.Get("Authorization") != "")
	}))
	defer jobs.Close()

	user, err := app.NewUser(app.Config{
		ClientID: server.Ready().NativeClientID, Name: "my-tool", Scopes: scopes.List{scopes.TransferAll},
		Client: client, Store: tokens.NewMemory(), Login: &person{http: client.HTTPClient()},
	})
	if err != nil {
		log.Fatal(err)
	}
	httpClient, err := user.HTTPClient(context.Background(), scopes.TransferResourceServer, jobs.Listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	resp, err := httpClient.Get(jobs.URL) //nolint:noctx // an example
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	set, err := user.Tokens(context.Background())
	fmt.Println(len(set.All()), "tokens stored", err)
	// Output:
	// asked with a token: true
	// 2 tokens stored <nil>
}
