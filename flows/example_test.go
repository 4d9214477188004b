package flows_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// world is a Globus Auth in this process, what is in it, and a client of it. A
// program has globusauth.New(globusauth.Config{}) in its place.
func world() (auth *globusauth.Client, ready authtest.Ready, stop func()) {
	emulated, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(emulated.Handler())
	auth, err = globusauth.New(globusauth.Config{BaseURL: server.URL, HTTPClient: server.Client()})
	if err != nil {
		log.Fatal(err)
	}
	return auth, emulated.Ready(), server.Close
}

// A person logs in to a command-line program by copying a code.
func Example() {
	auth, ready, stop := world()
	defer stop()
	ctx := context.Background()

	native := flows.Config{
		Auth:     auth,
		ClientID: ready.NativeClientID,
		Scopes:   scopes.List{scopes.AuthOpenID, scopes.TransferAll},
	}
	login, err := native.Start()
	if err != nil {
		log.Fatal(err)
	}
	// Print login.URL(). The person opens it, logs in, and copies the code:
	callback, err := browse(auth, login.URL())
	if err != nil {
		log.Fatal(err)
	}
	set, _, err := login.FinishCode(ctx, callback.Get("code"))
	if err != nil {
		log.Fatal(err)
	}
	transfer, ok := set.ByResourceServer(scopes.TransferResourceServer)
	fmt.Println(ok, transfer.Scope)
	fmt.Println(transfer.IdentityID == ready.Users[0].IdentityID)
	// Output:
	// true urn:globus:auth:scope:transfer.api.globus.org:all
	// true
}

// A web portal keeps a login in its session between two requests, which
// may reach two replicas.
func ExampleConfig() {
	auth, ready, stop := world()
	defer stop()
	ctx := context.Background()

	portal := flows.Config{
		Auth:         auth,
		ClientID:     ready.ConfidentialClientID,
		ClientSecret: ready.ConfidentialClientSecret,
		RedirectURI:  ready.ConfidentialRedirectURI,
		Scopes:       scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail},
	}

	// GET /login: start, remember, send the browser away.
	login, err := portal.Start()
	if err != nil {
		log.Fatal(err)
	}
	session, err := login.MarshalStorage()
	if err != nil {
		log.Fatal(err)
	}
	callback, err := browse(auth, login.URL())
	if err != nil {
		log.Fatal(err)
	}

	// GET /callback: forget, then finish with r.URL.Query().
	login, err = portal.Resume(session)
	if err != nil {
		log.Fatal(err)
	}
	set, _, err := login.Finish(ctx, callback)
	switch {
	case errors.Is(err, apierror.ErrAccessDenied):
		log.Fatal("the person said no")
	case err != nil:
		log.Fatal(err)
	}
	for _, token := range set.All() {
		fmt.Println(token.ResourceServer, token.IdentityID == ready.Users[0].IdentityID)
	}
	// Output:
	// auth.globus.org true
}

// A service gets tokens for itself, and an *http.Client that never stops because one
// expired.
func ExampleConfig_ClientCredentialsSource() {
	auth, ready, stop := world()
	defer stop()

	service := flows.Config{
		Auth:         auth,
		ClientID:     ready.ConfidentialClientID,
		ClientSecret: ready.ConfidentialClientSecret,
		Scopes:       scopes.List{scopes.AuthViewIdentities, scopes.TransferAll},
	}
	source, err := service.ClientCredentialsSource(tokens.RefreshingConfig{
		Store:          tokens.NewMemory(),
		ResourceServer: scopes.TransferResourceServer,
	})
	if err != nil {
		log.Fatal(err)
	}
	transfer, err := flows.HTTPClient(auth, tokens.TransportConfig{Source: source, ResourceServer: scopes.TransferResourceServer})
	if err != nil {
		log.Fatal(err)
	}
	_, err = transfer.Get("https://elsewhere.example/") //nolint:bodyclose,noctx // it is refused
	fmt.Println(err)

	// For a library that takes an oauth2.TokenSource:
	token, err := tokens.OAuth2(context.Background(), source).Token()
	fmt.Println(token.Valid(), err)
	// Output:
	// Get "https://elsewhere.example/": tokens: send request: the token is not meant for elsewhere.example:443, only for transfer.api.globus.org:443, transfer.api.globusonline.org:443: add the host to Hosts if it should be, or use another client
	// true <nil>
}

// A resource server looks at a caller's token and calls a further service for the
// caller.
func ExampleConfig_DependentTokens() {
	auth, ready, stop := world()
	defer stop()
	ctx := context.Background()
	api := flows.Config{Auth: auth, ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret}
	required := scopes.Scope(ready.DependentGrant.Scope)
	bearer := callersToken(ctx, auth, ready, required)

	info, err := api.Introspect(ctx, bearer, flows.IntrospectOptions{SessionInfo: true})
	if err != nil {
		log.Fatal(err)
	}
	if !slices.Contains(strings.Fields(info.Scope), required.Name()) {
		log.Fatal("401 or 403")
	}
	fmt.Println(info.Username)

	set, err := api.DependentTokens(ctx, bearer, flows.DependentOptions{Scopes: scopes.List{scopes.GroupsViewMyGroups}})
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range set.All() {
		fmt.Println(token.ResourceServer)
	}
	// Output:
	// alice@example.edu
	// groups.api.globus.org
}

// callersToken logs a user in to the native client for one scope.
func callersToken(ctx context.Context, auth *globusauth.Client, ready authtest.Ready, scope scopes.Scope) string {
	native := flows.Config{Auth: auth, ClientID: ready.NativeClientID, Scopes: scopes.List{scope}}
	login, err := native.Start()
	if err != nil {
		log.Fatal(err)
	}
	callback, err := browse(auth, login.URL())
	if err != nil {
		log.Fatal(err)
	}
	set, _, err := login.Finish(ctx, callback)
	if err != nil {
		log.Fatal(err)
	}
	token, err := set.ByScopes(scope)
	if err != nil {
		log.Fatal(err)
	}
	return token.AccessToken
}

// A service requires more; the next login requests it.
func ExampleWithAuthorization() {
	auth, err := globusauth.New(globusauth.Config{})
	if err != nil {
		log.Fatal(err)
	}
	native := flows.Config{Auth: auth, ClientID: "00000000-0000-4000-8000-000000000001", Scopes: scopes.List{scopes.TransferAll}}

	refused := apierror.FromResponse("list directory", 403, map[string][]string{"Content-Type": {"application/json"}},
		[]byte(`{"code": "AuthorizationRequired", "authorization_parameters": {"session_required_mfa": true, "session_message": "A second factor, please."}}`))
	if failure, ok := errors.AsType[*apierror.Error](error(refused)); ok && failure.Authorization != nil {
		login, err := native.Start(flows.WithAuthorization(*failure.Authorization))
		fmt.Println(login.URL() != "", err)
	}
	// Output:
	// true <nil>
}
