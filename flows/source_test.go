package flows_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// stored puts the token of a login into a store of its own.
func stored(tb testing.TB, address string, token tokens.Token) *tokens.Memory {
	tb.Helper()
	set, err := tokens.NewSet(token)
	if err != nil {
		tb.Fatal(err)
	}
	store := tokens.NewMemory()
	if _, err := store.Update(tb.Context(), tokens.Key{ClientID: clientID, Address: address}, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		tb.Fatal(err)
	}
	return store
}

func TestConfigSource_ConcurrentCallersRefreshOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = refreshed(object{"refresh_token": "refresh-SECRET-new"})
	old := current
	old.Expiry = p.clock.Now().Add(-time.Hour)
	for name, from := range map[string]interface {
		Source(config tokens.RefreshingConfig) (*tokens.Refreshing, error)
	}{"native": p.native(t), "confidential": p.confidential(t)} {
		store := stored(t, p.URL, old)
		source, err := from.Source(tokens.RefreshingConfig{Store: store, ResourceServer: scopes.TransferResourceServer})
		if err != nil {
			t.Fatal(err)
		}
		before := len(p.received())
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				token, err := source.Token(t.Context())
				if err != nil || token.AccessToken != "access-SECRET-new" {
					t.Errorf("%s: %v, %v", name, token, err)
				}
			})
		}
		wait.Wait()
		if n := len(p.received()) - before; n != 1 {
			t.Errorf("%s: %d requests for 50 callers, want 1", name, n)
		}
		set, err := store.Load(t.Context(), tokens.Key{ClientID: clientID, Address: p.URL})
		if token, _ := set.ByResourceServer(scopes.TransferResourceServer); err != nil || token.RefreshToken != "refresh-SECRET-new" || token.IdentityID != alice {
			t.Errorf("%s: stored %v, %v", name, token, err)
		}
	}
}

func TestConfigSource_LoginRequired(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = func(received) (int, any) { return http.StatusBadRequest, object{"error": "invalid_grant"} }
	old := current
	old.Expiry = p.clock.Now().Add(-time.Hour)
	source, err := p.native(t).Source(tokens.RefreshingConfig{Store: stored(t, p.URL, old), ResourceServer: scopes.TransferResourceServer})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
	}
	if n := len(p.received()); n != 1 {
		t.Errorf("a dead refresh token was sent %d times", n)
	}
}

func TestConfigClientCredentialsSource_RenewsExpiredToken(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	var issued atomic.Int64
	p.respond = func(received) (int, any) {
		return http.StatusOK, object{
			"access_token": "access-SECRET-" + time.Unix(issued.Add(1), 0).UTC().Format("05"), "resource_server": scopes.TransferResourceServer,
			"scope": string(scopes.TransferAll), "expires_in": 3600, "token_type": "Bearer", "other_tokens": []object{},
		}
	}
	service := p.confidential(t)
	service.Scopes = scopes.List{scopes.TransferAll}
	source, err := service.ClientCredentialsSource(tokens.RefreshingConfig{Store: tokens.NewMemory(), ResourceServer: scopes.TransferResourceServer})
	if err != nil {
		t.Fatal(err)
	}
	service.Scopes[0] = "changed"                                       // the source's scopes are its own
	var adapter oauth2.TokenSource = tokens.OAuth2(t.Context(), source) //nolint:staticcheck // the type is what is tested
	for _, want := range []string{"access-SECRET-01", "access-SECRET-02", "access-SECRET-03"} {
		for range 2 {
			token, err := adapter.Token()
			if err != nil || token.AccessToken != want {
				t.Fatalf("%v, want %s", err, want)
			}
		}
		if got := p.last(t).form.Get("scope"); got != string(scopes.TransferAll) {
			t.Errorf("scope %q", got)
		}
		p.clock.advance(time.Hour - 60*time.Second)
	}
}

// A service that shares a store and namespace with users never gets their tokens.
func TestClientCredentialsSource_APersonsTokens(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.respond = func(received) (int, any) { return http.StatusOK, tokenEntry(nil) }
	service := p.confidential(t)
	service.Scopes = scopes.List{scopes.TransferAll}
	store := tokens.NewMemory()
	person, err := tokens.NewSet(tokens.Token{
		AccessToken: "access-SECRET-person", ResourceServer: scopes.TransferResourceServer, IdentityID: alice, Expiry: p.clock.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	client := p.client(t)
	key := tokens.Key{ClientID: clientID, Environment: client.Environment(), Address: client.Address()}
	if _, err := store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return person, nil }); err != nil {
		t.Fatal(err)
	}
	source, err := service.ClientCredentialsSource(tokens.RefreshingConfig{Store: store, ResourceServer: scopes.TransferResourceServer})
	if err != nil {
		t.Fatal(err)
	}
	if token, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrIdentityMismatch) || token.AccessToken != "" {
		t.Errorf("%v, %v", token, err)
	}
}

func TestConfigSource_InvalidConfig(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	native, portal := p.native(t), p.confidential(t)
	good := tokens.RefreshingConfig{Store: tokens.NewMemory(), ResourceServer: "r"}
	changed := func(change func(*tokens.RefreshingConfig)) tokens.RefreshingConfig { c := good; change(&c); return c }
	anonymous, scopeless := native, portal
	anonymous.ClientID, scopeless.Scopes = "", nil
	secretless := portal
	secretless.ClientSecret = ""
	type source = func(config tokens.RefreshingConfig) (*tokens.Refreshing, error)
	for name, test := range map[string]struct {
		source source
		config tokens.RefreshingConfig
		text   string
	}{
		"no store":           {native.Source, changed(func(c *tokens.RefreshingConfig) { c.Store = nil }), "Store is nil"},
		"no resource server": {portal.ClientCredentialsSource, changed(func(c *tokens.RefreshingConfig) { c.ResourceServer = "" }), "ResourceServer is empty"},
		"no client ID":       {anonymous.Source, good, "ClientID is empty"},
		"no scopes":          {scopeless.ClientCredentialsSource, good, strings.TrimPrefix(scopes.ErrEmpty.Error(), "scopes: ")},
		"no secret, service": {secretless.ClientCredentialsSource, good, "ClientSecret is empty"},
	} {
		if _, err := test.source(test.config); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v, want %q", name, err, test.text)
		}
	}
}

// Tokens of another client, environment or address are never found, so never sent to this service.
func TestConfigSource_KeyOfAnother(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	old := current
	old.Expiry = p.clock.Now().Add(-time.Hour)
	set, err := tokens.NewSet(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]tokens.Key{
		"client": {ClientID: "another", Address: p.URL}, "environment": {ClientID: clientID, Environment: "preview", Address: p.URL},
		"address": {ClientID: clientID, Address: "https://auth.example.org/"},
	} {
		store := tokens.NewMemory()
		if _, err := store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
			t.Fatal(err)
		}
		source, err := p.native(t).Source(tokens.RefreshingConfig{Store: store, ResourceServer: old.ResourceServer, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if got := p.received(); len(got) != 0 {
		t.Errorf("%d requests", len(got))
	}
}

// service is a resource server that remembers what tokens it was sent.
type service struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string
}

func newService(tb testing.TB, redirect *string) *service {
	tb.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.sent = append(s.sent, r.Header.Get("Authorization"))
		s.mu.Unlock()
		if redirect != nil && r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, *redirect, http.StatusTemporaryRedirect)
		}
	}))
	tb.Cleanup(s.Close)
	return s
}

func (s *service) host() string { return strings.TrimPrefix(s.URL, "http://") }

func get(tb testing.TB, client *http.Client, target string) error {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// A redirect to another host is followed without the token; a request to another host is
// not sent.
func TestHTTPClient_SendsTokenToItsHostsOnly(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	other := newService(t, nil)
	api := newService(t, &other.URL)
	client, err := flows.HTTPClient(p.client(t), tokens.TransportConfig{Source: tokens.Static(current), Hosts: []string{api.host()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(t, client, api.URL+"/jobs"); err != nil || len(api.sent) != 1 || api.sent[0] != "Bearer access-SECRET-old" {
		t.Errorf("own host: %v, %d requests", err, len(api.sent))
	}
	if err := get(t, client, api.URL+"/elsewhere"); err != nil || len(other.sent) != 1 || other.sent[0] != "" {
		t.Errorf("redirect: %v, other host got %q", err, other.sent)
	}
	if err := get(t, client, other.URL); err == nil || len(other.sent) != 1 {
		t.Errorf("other host: %v, it got %d requests", err, len(other.sent))
	}
}

// A redirect of the token endpoint is not followed with code, verifier and secret.
func TestConfig_TokenEndpointRedirects(t *testing.T) {
	t.Parallel()
	other := newService(t, nil)
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusPermanentRedirect)
	}))
	t.Cleanup(moved.Close)
	client, err := globusauth.New(globusauth.Config{BaseURL: moved.URL, HTTPClient: moved.Client()})
	if err != nil {
		t.Fatal(err)
	}
	native := flows.Config{Auth: client, ClientID: clientID, Scopes: scopes.List{scopes.TransferAll}}
	portal := flows.Config{Auth: client, ClientID: clientID, ClientSecret: clientSecret, Scopes: native.Scopes, RedirectURI: redirectURI}
	for name, call := range map[string]func() error{
		"code":               func() error { _, _, err := start(t, native).FinishCode(t.Context(), "code-SECRET"); return err },
		"refresh":            func() error { _, err := portal.Refresh(t.Context(), current); return err },
		"client credentials": func() error { _, err := portal.ClientCredentials(t.Context()); return err },
		"introspect": func() error {
			_, err := portal.Introspect(t.Context(), "tok", flows.IntrospectOptions{})
			return err
		},
		"revoke": func() error { return portal.Revoke(t.Context(), "tok") },
	} {
		if err := call(); !errors.Is(err, globusauth.ErrRedirect) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(other.sent) != 0 {
		t.Errorf("%d requests reached the other host", len(other.sent))
	}
}

func TestHTTPClient_Hosts(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	api := newService(t, nil)
	client := p.client(t)
	for name, test := range map[string]struct {
		client *globusauth.Client
		config tokens.TransportConfig
		target string
		text   string // of the error, "" for none
	}{
		"known service":         {production(t), tokens.TransportConfig{ResourceServer: scopes.TransferResourceServer}, "https://auth.globus.org/", "only for transfer.api.globus.org:443"},
		"Auth of this client":   {client, tokens.TransportConfig{ResourceServer: scopes.AuthResourceServer}, p.URL + "/jwk.json", ""},
		"not the other Auth":    {client, tokens.TransportConfig{ResourceServer: scopes.AuthResourceServer}, "https://auth.globus.org/", "not meant for auth.globus.org:443"},
		"hosts that were named": {client, tokens.TransportConfig{ResourceServer: scopes.AuthResourceServer, Hosts: []string{api.host()}}, api.URL, ""},
	} {
		test.config.Source = tokens.Static(current)
		client, err := flows.HTTPClient(test.client, test.config)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := get(t, client, test.target); (err == nil) != (test.text == "") || (err != nil && !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: %v, want %q", name, err, test.text)
		}
	}
	for name, test := range map[string]struct {
		client *globusauth.Client
		config tokens.TransportConfig
	}{
		"no source":       {client, tokens.TransportConfig{Hosts: []string{"a.example"}}},
		"no hosts":        {client, tokens.TransportConfig{Source: tokens.Static(current)}},
		"unknown service": {client, tokens.TransportConfig{Source: tokens.Static(current), ResourceServer: "11111111-1111-4111-8111-111111111111"}},
	} {
		if _, err := flows.HTTPClient(test.client, test.config); err == nil || !strings.HasPrefix(err.Error(), "flows: HTTP client: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An HTTP client without a transport uses that of net/http.
func TestHTTPClient_WithoutTransport(t *testing.T) {
	t.Parallel()
	api := newService(t, nil)
	auth, err := globusauth.New(globusauth.Config{HTTPClient: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := flows.HTTPClient(auth, tokens.TransportConfig{Source: tokens.Static(current), Hosts: []string{api.host()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if err := get(t, client, api.URL); err != nil || len(api.sent) != 1 || api.sent[0] == "" {
		t.Errorf("%v, %q", err, api.sent)
	}
}
