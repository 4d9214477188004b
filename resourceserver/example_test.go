package resourceserver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

func Example() {
	auth, err := globusauth.New(globusauth.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := resourceserver.New(resourceserver.Config{
		OAuth: flows.Config{Auth: auth, ClientID: "CLIENT_ID", ClientSecret: "CLIENT_SECRET"},
		Rules: []resourceserver.Rule{resourceserver.AllScopes("https://auth.globus.org/scopes/CLIENT_ID/jobs")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := api.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "hello,", resourceserver.Caller(r.Context()).Username)
	}), resourceserver.Fresh(15*time.Minute))

	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/jobs", http.NoBody))
	fmt.Println(recorder.Code, recorder.Header().Get("WWW-Authenticate"))
	fmt.Print(recorder.Body)
	// Output:
	// 401 Bearer
	// {"code":"Unauthorized","message":"a token is required"}
}

type object struct{ ReadableBy []string }

func find(*http.Request) object { return object{ReadableBy: []string{"public"}} }

// A handler checks the permissions of the object that a request is for.
func ExampleCallerInfo_Require() {
	var api *resourceserver.API
	handler := func(w http.ResponseWriter, r *http.Request) {
		ctx, object := r.Context(), find(r)
		caller := resourceserver.Caller(ctx)
		if err := caller.Require(ctx, resourceserver.AnyPrincipal(object.ReadableBy...)); err != nil {
			api.Deny(w, r, err)
			return
		}
		_, _ = fmt.Fprintln(w, "the object")
	}
	recorder := httptest.NewRecorder()
	handler(recorder, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/objects/1", http.NoBody)) // without a token
	fmt.Print(recorder.Body)
	// Output: the object
}

// A handler calls Transfer for the caller.
func ExampleCallerInfo_HTTPClient() {
	api, token := testDouble()
	handler := api.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		caller := resourceserver.Caller(ctx)
		client, err := caller.HTTPClient(ctx, scopes.TransferAll) // a dependent token, cached
		if err != nil {
			api.Deny(w, r, err) // asks for the consent that is missing
			return
		}
		_ = client // client.Get("https://transfer.api.globus.org/v0.10/endpoint_search?...")
		_, _ = fmt.Fprintln(w, "the collections of", caller.Username)
	}))
	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/collections", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	fmt.Print(recorder.Body)
	// Output: the collections of alice@example.edu
}

// testDouble returns an API at a test double of Globus Auth, and a token for it.
func testDouble() (*resourceserver.API, string) {
	server, err := authtest.NewServer(authtest.Config{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		panic(err)
	}
	ready := server.Ready()
	auth, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL(), HTTPClient: server.Client()})
	if err != nil {
		panic(err)
	}
	api, err := resourceserver.New(resourceserver.Config{
		OAuth: flows.Config{Auth: auth, ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret},
	})
	if err != nil {
		panic(err)
	}
	token := server.Issue(authtest.Grant{User: "alice@example.edu", Client: ready.NativeClientID, Scopes: []string{ready.DependentGrant.Scope}})
	return api, token[0].AccessToken
}
