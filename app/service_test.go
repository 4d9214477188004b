package app_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func TestNewService_Tokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, nil)
	wantLogin(t, service.LoginRequired(t.Context()), app.ErrMissingToken)
	source := service.Source(scopes.TransferResourceServer)
	first := token(t, source)
	for range 10 {
		if token(t, source) != first {
			t.Error("another token while the first was good")
		}
	}
	if err := service.LoginRequired(t.Context()); err != nil {
		t.Error(err)
	}
	for range 20 { // 40 days
		w.Advance(48 * time.Hour)
		token(t, source)
	}
	if got := w.grants("client_credentials")["ok"]; got != 21 {
		t.Errorf("%d grants", got)
	}
	if _, err := service.Source(scopes.GroupsResourceServer).Token(t.Context()); err == nil {
		t.Error("a token for what no scope is for")
	}
}

func TestNewService_AddScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, func(c *app.Config) { c.NoLogin = true })
	token(t, service.Source(scopes.TransferResourceServer))
	if err := service.AddScopes(scopes.GroupsAll); err != nil {
		t.Fatal(err)
	}
	wantLogin(t, service.LoginRequired(t.Context()), app.ErrUnmetScopes)
	if got := token(t, service.Source(scopes.GroupsResourceServer)); !hasScopes(got.Scope, scopes.GroupsAll) {
		t.Errorf("token %v", got)
	}
	w.Advance(48 * time.Hour)
	if got := token(t, service.Source(scopes.GroupsResourceServer)); !hasScopes(got.Scope, scopes.GroupsAll) {
		t.Errorf("token %v after renewal", got)
	}
}

func TestNewService_ConcurrentUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, nil)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, err := service.Source(scopes.TransferResourceServer).Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := w.grants("client_credentials")["ok"]; got != 1 {
		t.Errorf("%d grants", got)
	}
}

func TestNewService_Logout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, func(c *app.Config) { c.Scopes = append(c.Scopes, scopes.AuthOpenID) })
	first := token(t, service.Source(scopes.AuthResourceServer))
	if !w.active(t, first.AccessToken) {
		t.Fatal("the token does not work")
	}
	if err := service.Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.active(t, first.AccessToken) {
		t.Error("the token still works")
	}
	if set, err := service.Tokens(t.Context()); err != nil || len(set.All()) != 0 {
		t.Errorf("left %v, %v", set, err)
	}
	if second := token(t, service.Source(scopes.AuthResourceServer)); second.AccessToken == first.AccessToken {
		t.Error("the revoked token again")
	}
	info, err := service.AuthClient().GetUserinfo(t.Context())
	if err != nil || info.Sub != w.Ready().ConfidentialClientID {
		t.Errorf("userinfo %v, %v", info, err)
	}
}

func TestNewService_WrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, func(c *app.Config) { c.ClientSecret = "wrong-SECRET" })
	for _, err := range []error{
		service.Login(t.Context(), app.LoginOptions{}),
		func() error { _, err := service.HTTPClient(t.Context(), scopes.TransferResourceServer); return err }(),
	} {
		if !errors.Is(err, apierror.ErrInvalidClient) || errors.Is(err, tokens.ErrLoginRequired) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("error %v", err)
		}
	}
	if err := w.service(t, nil).Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Error(err)
	}
}

// What a resource server demands, a service account asks for only if its program has named it, and
// it keeps nothing of it.
func TestNewService_RedriveOnlyNamedScopes(t *testing.T) {
	t.Parallel()
	const evil = `{"code":"ConsentRequired","required_scopes":["evil:all[urn:globus:auth:scope:transfer.api.globus.org:all]"]}`
	for name, test := range map[string]struct {
		demand  string
		scopes  scopes.List // beside Transfer
		granted bool
	}{
		"a scope of the program":              {gareConsent, scopes.List{scopes.GroupsAll}, true},
		"a scope that was never named":        {gareConsent, nil, false},
		"another scope with dependency":       {evil, scopes.List{scopes.GroupsAll}, false},
		"a dependency that was not named":     {`{"code":"ConsentRequired","required_scopes":["urn:globus:auth:scope:groups.api.globus.org:all[openid]"]}`, scopes.List{scopes.GroupsAll}, false},
		"a named scope beside an unnamed one": {`{"code":"ConsentRequired","required_scopes":["urn:globus:auth:scope:groups.api.globus.org:all","openid"]}`, scopes.List{scopes.GroupsAll}, false},
		"a malformed scope":                   {`{"code":"ConsentRequired","required_scopes":["a["]}`, scopes.List{scopes.GroupsAll}, false},
		"a session":                           {gareSession, scopes.List{scopes.GroupsAll}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			picky := newPicky(t, test.demand)
			picky.after()
			service := w.service(t, func(c *app.Config) { c.RedriveGAREs = true })
			client, err := service.HTTPClient(t.Context(), scopes.TransferResourceServer, picky.host())
			if err != nil {
				t.Fatal(err)
			}
			if err := service.AddScopes(test.scopes...); err != nil {
				t.Fatal(err)
			}
			token(t, service.Source(scopes.TransferResourceServer))
			before := w.grants("client_credentials")["ok"]
			text, _, err := send(t, client, strings.NewReader("x"), picky.URL)
			if granted := w.grants("client_credentials")["ok"] > before; granted != test.granted {
				t.Errorf("another grant: %t", granted)
			}
			if test.granted && (err != nil || text != "welcome") || !test.granted && !errors.Is(err, apierror.ErrAuthorizationRequired) && !errors.Is(err, apierror.ErrConsentRequired) {
				t.Errorf("%q, %v", text, err)
			}
			if err := service.Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
			for _, request := range w.Requests() {
				if strings.Contains(request.Form.Get("scope"), "evil") || strings.Contains(request.Form.Get("scope"), "openid") {
					t.Errorf("asked for %q", request.Form.Get("scope"))
				}
			}
		})
	}
}

// A program that passes on what a service demands names what is missing.
func TestNewService_LoginWithForeignScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, nil)
	demand := apierror.AuthorizationParameters{RequiredScopes: []string{string(scopes.GroupsAll)}}
	if err := service.Login(t.Context(), app.LoginOptions{Authorization: demand}); err == nil || !strings.Contains(err.Error(), string(scopes.GroupsAll)) {
		t.Errorf("error %v", err)
	}
	if err := service.AddScopes(scopes.GroupsAll); err != nil {
		t.Fatal(err)
	}
	if err := service.Login(t.Context(), app.LoginOptions{Authorization: demand}); err != nil {
		t.Error(err)
	}
}

// A token that a service rejects is replaced, and the request retried.
func TestNewService_RejectedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	service := w.service(t, func(c *app.Config) { c.Scopes = append(c.Scopes, scopes.AuthOpenID) })
	client, err := service.HTTPClient(t.Context(), scopes.AuthResourceServer)
	if err != nil {
		t.Fatal(err)
	}
	// Another program has revoked it.
	first := token(t, service.Source(scopes.AuthResourceServer))
	if err := w.service(t, func(c *app.Config) {
		c.Store = tokens.NewMemory()
	}).Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Fatal(err)
	}
	other := tokens.NewMemory()
	set, err := service.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Update(t.Context(), tokens.Key{ClientID: w.Ready().ConfidentialClientID, Address: w.client.Address()}, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.service(t, func(c *app.Config) { c.Store = other; c.Scopes = append(c.Scopes, scopes.AuthOpenID) }).Logout(t.Context(), app.LogoutOptions{}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.BaseURL()+"v2/oauth2/userinfo", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || token(t, service.Source(scopes.AuthResourceServer)).AccessToken == first.AccessToken {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// A stored token may hold a scope that its owner has deleted since. A service asks for
// what is stored as well, and must not end for that.
func TestNewService_StoredScopeWasDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	key := tokens.Key{ClientID: w.Ready().ConfidentialClientID, Address: w.client.Address()}
	set, err := tokens.NewSet(tokens.Token{
		ResourceServer: scopes.TransferResourceServer, AccessToken: "old", IdentityID: w.Ready().ConfidentialClientID,
		Scope: string(scopes.TransferAll) + " urn:globus:auth:scope:transfer.api.globus.org:deleted", Expiry: w.Now().Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
	got, err := w.service(t, func(c *app.Config) { c.Store = w.store }).Source(scopes.TransferResourceServer).Token(t.Context())
	if err != nil || got.AccessToken == "old" {
		t.Errorf("%v, %v", got, err)
	}
}
