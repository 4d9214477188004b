package flows_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// newAuthtest starts a test double and returns it with a client.
func newAuthtest(tb testing.TB) (*authtest.Server, *globusauth.Client) {
	tb.Helper()
	server := authtest.New(tb)
	client, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL(), HTTPClient: server.Client(), Now: server.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return server, client
}

// browse opens the authorize URL as a browser does whose user is signed in and says
// yes, and returns what came to the redirect URI.
func browse(auth *globusauth.Client, target string) (url.Values, error) {
	browser := auth.HTTPClient()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Get(target) //nolint:noctx // a browser of a test
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	location, err := resp.Location()
	if err != nil {
		return nil, err
	}
	return location.Query(), nil
}

// What a native app does from the first login to the last.
func TestConfig_PublicClientWithAuthtest(t *testing.T) {
	t.Parallel()
	server, client := newAuthtest(t)
	ready := server.Ready()
	native := flows.Config{Auth: client, ClientID: ready.NativeClientID, Scopes: wanted, RefreshTokens: true, PrefillNamedGrant: "test"}
	login := start(t, native, flows.WithParameter("login_hint", ready.Users[1].Username))
	callback, err := browse(client, login.URL())
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := login.FinishCode(t.Context(), callback.Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	transfer, ok := set.ByResourceServer(scopes.TransferResourceServer)
	if !ok || transfer.IdentityID != ready.Users[1].IdentityID || transfer.RefreshToken == "" || transfer.Lifetime != 48*time.Hour {
		t.Fatalf("transfer token %v of %s", transfer, transfer.IdentityID)
	}
	if _, _, err := login.FinishCode(t.Context(), callback.Get("code")); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("the same code again: %v", err)
	}

	// The service may have revoked the tokens of a code that it saw twice: log in again.
	login = start(t, native)
	if callback, err = browse(client, login.URL()); err != nil {
		t.Fatal(err)
	}
	if set, _, err = login.Finish(t.Context(), callback); err != nil {
		t.Fatal(err)
	}
	store := tokens.NewMemory()
	key := tokens.Key{ClientID: native.ClientID, Address: client.Address()}
	if _, err := store.Update(t.Context(), key, func(current tokens.Set) (tokens.Set, error) { return current.Merge(set), nil }); err != nil {
		t.Fatal(err)
	}
	source, err := native.Source(tokens.RefreshingConfig{Store: store, ResourceServer: scopes.TransferResourceServer})
	if err != nil {
		t.Fatal(err)
	}
	first, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Advance(48 * time.Hour)
	second, err := source.Token(t.Context())
	if err != nil || second.AccessToken == first.AccessToken || second.RefreshToken == "" || second.IdentityID != first.IdentityID {
		t.Errorf("after two days: %v, %v", second, err)
	}

	if err := native.Revoke(t.Context(), second.AccessToken); err != nil {
		t.Error(err)
	}
	if err := native.Revoke(t.Context(), second.RefreshToken); err != nil {
		t.Error(err)
	}
	if _, err := native.Refresh(t.Context(), second); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("refresh after revoke: %v", err)
	}
	if _, err := source.Renew(t.Context(), second); !errors.Is(err, tokens.ErrLoginRequired) {
		t.Errorf("renew after revoke: %v", err)
	}
}

// What a portal that is a resource server as well does.
func TestConfig_ConfidentialClientWithAuthtest(t *testing.T) {
	t.Parallel()
	server, client := newAuthtest(t)
	ready := server.Ready()
	portal := flows.Config{
		Auth: client, ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret,
		RedirectURI: ready.ConfidentialRedirectURI, Scopes: scopes.List{scopes.AuthOpenID, scopes.Scope(ready.DependentGrant.Scope)},
	}
	login := start(t, portal)
	data, err := login.MarshalStorage()
	if err != nil {
		t.Fatal(err)
	}
	callback, err := browse(client, login.URL())
	if err != nil {
		t.Fatal(err)
	}
	again, err := portal.Resume(data)
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := again.Finish(t.Context(), callback)
	if err != nil {
		t.Fatal(err)
	}
	own, err := set.ByScopes(scopes.Scope(ready.DependentGrant.Scope))
	if err != nil {
		t.Fatal(err)
	}

	info, err := portal.Introspect(t.Context(), own.AccessToken, flows.IntrospectOptions{
		IdentitySet: true, IdentitySetDetail: true, SessionInfo: true, Policies: []string{ready.PolicyID},
	})
	if err != nil || !strings.Contains(info.Scope, ready.DependentGrant.Scope) || info.Sub != ready.Users[0].IdentityID || len(info.IdentitySet) != 2 ||
		len(info.IdentitySetDetail) != 2 || len(info.SessionInfo.Authentications) == 0 || !info.Exp.After(server.Now()) {
		t.Errorf("introspection %+v, %v", info, err)
	}
	if _, evaluated := info.PolicyEvaluations[ready.PolicyID]; !evaluated {
		t.Error("the policy was not evaluated")
	}

	dependent, err := portal.DependentTokens(t.Context(), own.AccessToken, flows.DependentOptions{RefreshTokens: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, token := range dependent.All() {
		got[token.ResourceServer] = token.Scope
		if token.RefreshToken == "" {
			t.Errorf("%v has no refresh token", token)
		}
	}
	if !maps.Equal(got, ready.DependentGrant.Expect) {
		t.Errorf("dependent tokens %v, want %v", got, ready.DependentGrant.Expect)
	}
	for resourceServer, scope := range ready.DependentGrant.Expect {
		one, err := portal.DependentTokens(t.Context(), own.AccessToken, flows.DependentOptions{Scopes: scopes.List{scopes.Scope(scope)}})
		if all := one.All(); err != nil || len(all) != 1 || all[0].ResourceServer != resourceServer {
			t.Errorf("only %s: %v, %v", scope, one, err)
		}
	}

	if err := portal.Revoke(t.Context(), own.AccessToken); err != nil {
		t.Error(err)
	}
	if info, err = portal.Introspect(t.Context(), own.AccessToken, flows.IntrospectOptions{}); err != nil || info.Active {
		t.Errorf("after revoke: %+v, %v", info, err)
	}
	if _, err := portal.DependentTokens(t.Context(), own.AccessToken, flows.DependentOptions{}); !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("dependent tokens after revoke: %v", err)
	}
}

func TestConfigClientCredentials_WithAuthtest(t *testing.T) {
	t.Parallel()
	server, client := newAuthtest(t)
	ready := server.Ready()
	service := flows.Config{
		Auth: client, ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret,
		Scopes: scopes.List{scopes.AuthOpenID, scopes.AuthViewIdentities, scopes.TransferAll},
	}
	set, err := service.ClientCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range set.All() {
		if token.IdentityID != service.ClientID || token.RefreshToken != "" {
			t.Errorf("%v is for identity %q", token, token.IdentityID)
		}
	}
	source, err := service.ClientCredentialsSource(tokens.RefreshingConfig{Store: tokens.NewMemory(), ResourceServer: scopes.AuthResourceServer})
	if err != nil {
		t.Fatal(err)
	}
	httpClient, err := flows.HTTPClient(client, tokens.TransportConfig{Source: source, ResourceServer: scopes.AuthResourceServer})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := get(t, httpClient, server.BaseURL()+"v2/oauth2/userinfo"); err != nil {
			t.Error(err)
		}
		server.Advance(48 * time.Hour)
	}
	service.ClientSecret += "x"
	if _, err := service.ClientCredentials(t.Context()); !errors.Is(err, apierror.ErrInvalidClient) {
		t.Errorf("a wrong secret: %v", err)
	}
	service.ClientSecret = ready.ConfidentialClientSecret
	service.Scopes = scopes.List{"urn:globus:auth:scope:unknown.example:all"}
	if _, err := service.ClientCredentials(t.Context()); !slices.ContainsFunc([]error{apierror.ErrInvalidScope, apierror.ErrBadRequest}, func(want error) bool { return errors.Is(err, want) }) {
		t.Errorf("an unknown scope: %v", err)
	}
}

// Keys that are replaced while logins go on.
func TestLoginFinish_AfterKeyRotation(t *testing.T) {
	t.Parallel()
	server, client := newAuthtest(t)
	native := flows.Config{Auth: client, ClientID: server.Ready().NativeClientID, Scopes: wanted}
	for range 2 {
		login := start(t, native)
		callback, err := browse(client, login.URL())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := login.Finish(t.Context(), callback); err != nil {
			t.Errorf("finish: %v", err)
		}
		if err := server.RotateKeys(); err != nil {
			t.Fatal(err)
		}
		server.Advance(2 * time.Minute)
	}
}
