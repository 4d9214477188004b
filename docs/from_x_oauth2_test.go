package docs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// The blocks of from-x-oauth2.md are these functions; the test below runs both.

// signIn is what a browser does: it opens an address and returns what comes to the redirect URI.
type signIn func(ctx context.Context, address string) (*url.URL, error)

func withOAuth2(ctx context.Context, site string, client authtest.Client, signIn signIn) (*http.Client, error) {
	config := oauth2.Config{
		ClientID: client.ID, RedirectURL: client.RedirectURIs[0],
		Scopes:   []string{"urn:globus:auth:scope:transfer.api.globus.org:all"},
		Endpoint: oauth2.Endpoint{AuthURL: site + "/v2/oauth2/authorize", TokenURL: site + "/v2/oauth2/token"},
	}
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	callback, err := signIn(ctx, config.AuthCodeURL(state, oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier)))
	if err != nil || callback.Query().Get("state") != state {
		return nil, err
	}
	token, err := config.Exchange(ctx, callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	return config.Client(ctx, token), nil // sends the token wherever a request goes, and stores nothing
}

func withFlows(ctx context.Context, auth *globusauth.Client, client authtest.Client, signIn signIn) (*http.Client, error) {
	config := flows.Config{
		Auth: auth, ClientID: client.ID, RedirectURI: client.RedirectURIs[0],
		Scopes: scopes.List{scopes.TransferAll}, RefreshTokens: true,
	}
	login, err := config.Start()
	if err != nil {
		return nil, err
	}
	callback, err := signIn(ctx, login.URL())
	if err != nil {
		return nil, err
	}
	set, _, err := login.Finish(ctx, callback.Query()) // checks state, issuer, PKCE; with openid, the ID token
	if err != nil {
		return nil, err
	}
	store, key := tokens.NewMemory(), tokens.Key{ClientID: client.ID, Address: auth.Address()}
	if _, err = store.Update(ctx, key, func(before tokens.Set) (tokens.Set, error) { return before.Merge(set), nil }); err != nil {
		return nil, err
	}
	source, err := config.Source(tokens.RefreshingConfig{Store: store, Key: key, ResourceServer: scopes.TransferResourceServer})
	if err != nil {
		return nil, err
	}
	return flows.HTTPClient(auth, tokens.TransportConfig{Source: source, ResourceServer: scopes.TransferResourceServer})
}

func TestFromXOAuth2_BothLogInAndSendTheToken(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	auth, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL()})
	if err != nil {
		t.Fatal(err)
	}
	client := server.AddClient(authtest.Client{Name: "portal", RedirectURIs: []string{"http://127.0.0.1:8080/callback"}})
	browser := server.Browser(server.Ready().Users[0].Username)
	before, err := withOAuth2(t.Context(), strings.TrimSuffix(server.BaseURL(), "/"), client, browser)
	if err != nil {
		t.Fatal(err)
	}
	after, err := withFlows(t.Context(), auth, client, browser)
	if err != nil {
		t.Fatal(err)
	}
	var sent int
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			sent++
		}
	}))
	defer other.Close()
	for _, c := range []*http.Client{before, after} {
		response, err := c.Get(other.URL) //nolint:noctx // The host is what matters.
		if err == nil {
			_ = response.Body.Close()
		}
	}
	if sent != 1 {
		t.Errorf("a foreign host got %d tokens; the document says that x/oauth2 sends it and this library does not", sent)
	}
}
