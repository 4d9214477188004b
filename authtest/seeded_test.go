package authtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// TestNewServer_ShortSeed wants entries that leave out all they may to be as good as others.
func TestNewServer_ShortSeed(t *testing.T) {
	t.Parallel()
	const projectID, clientID, scopeID = "b1000000-0000-4000-8000-000000000001", "a1000000-0000-4000-8000-000000000001", "5c000000-0000-4000-8000-000000000001"
	world := authtest.DefaultWorld()
	world.Projects = append(world.Projects, authtest.Project{ID: projectID, Name: "Short", AdminIDs: []string{"alice@example.edu"}})
	world.Clients = append(world.Clients, authtest.Client{
		ID: clientID, Name: "Short", Secret: "secret", Project: projectID, Scopes: []authtest.Scope{{ID: scopeID, Suffix: "all"}},
	})
	p := newPeer(t, authtest.Config{World: &world})
	authorization := bearer(text(p.login("openid "+manage), "access_token"))
	for path, body := range map[string]any{
		"/v2/api/projects/" + projectID: map[string]any{"project": map[string]any{}},
		"/v2/api/clients/" + clientID:   map[string]any{"client": map[string]any{}},
		"/v2/api/scopes/" + scopeID:     map[string]any{"scope": map[string]any{}},
	} {
		if got := p.do("PUT", path, authorization, body); got.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, got.status, got.body)
		}
	}
}

// TestToken_DependentRefreshTokens wants refresh tokens for who asks for them only,
// however the token that is exchanged was asked for.
func TestToken_DependentRefreshTokens(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	for _, login := range []string{"online", "offline"} {
		response := p.login(p.ready.DependentGrant.Scope, "access_type", login)
		for _, ask := range []string{"", "online", "offline"} {
			form := url.Values{"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {text(response, "access_token")}}
			if ask != "" {
				form.Set("access_type", ask)
			}
			a := p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), form), http.StatusOK)
			var tokens []map[string]any
			if err := json.Unmarshal(a.body, &tokens); err != nil || len(tokens) != 2 {
				t.Fatalf("%v: %s", err, a.body)
			}
			for _, token := range tokens {
				if _, there := token["refresh_token"]; there != (ask == "offline") {
					t.Errorf("login %s, access_type %q: refresh token %v", login, ask, token["refresh_token"])
				}
			}
		}
	}
}
