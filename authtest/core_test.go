package authtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/idtoken"
)

func TestServer_Login(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	response := p.login("openid profile email "+transferAll, "nonce", "n-1", "access_type", "offline")
	if got := response["resource_server"]; got != "auth.globus.org" {
		t.Errorf("top level is %v, want auth.globus.org: the ID token goes with it", got)
	}
	transfer := token(t, response, "transfer.api.globus.org")
	for _, document := range []map[string]any{response, transfer} {
		for _, name := range []string{"access_token", "refresh_token", "scope", "expires_in", "token_type", "state"} {
			if document[name] == nil {
				t.Errorf("%s is missing in the token of %s", name, document["resource_server"])
			}
		}
	}
	if got := response["scope"]; got != "openid profile email" {
		t.Errorf("scope = %q", got)
	}
	verifier, err := idtoken.New(idtoken.Config{HTTPClient: p.http, Issuer: p.server.BaseURL(), ClientID: p.ready.NativeClientID})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier.Verify(t.Context(), text(response, "id_token"), idtoken.Expect{Nonce: "n-1", AccessToken: text(response, "access_token")})
	if err != nil {
		t.Fatal(err)
	}
	if claims.Sub != p.ready.Users[0].IdentityID {
		t.Errorf("sub = %s, want the first user %s", claims.Sub, p.ready.Users[0].IdentityID)
	}
}

func TestServerReady_HasAllIDs(t *testing.T) {
	t.Parallel()
	s := authtest.New(t)
	encoded, err := json.Marshal(s.Ready())
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(encoded, &document); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"base_url", "native_client_id", "confidential_client_id", "confidential_client_secret", "confidential_redirect_uri",
		"project_id", "policy_id", "template_id", "fqdn",
	} {
		if value, _ := document[name].(string); value == "" {
			t.Errorf("%s is empty in %s", name, encoded)
		}
	}
	want := map[string]any{
		"transfer.api.globus.org": transferAll,
		"groups.api.globus.org":   "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
	}
	grant, _ := document["dependent_grant"].(map[string]any)
	if diff := cmp.Diff(want, grant["expect"]); diff != "" {
		t.Errorf("dependent_grant.expect (-want +got):\n%s", diff)
	}
	if users, _ := document["users"].([]any); len(users) != 3 {
		t.Errorf("users = %v, want three", document["users"])
	}
}

func TestToken_DependentGrant(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	response := p.login(p.ready.DependentGrant.Scope)
	a := p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), url.Values{
		"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {text(response, "access_token")},
	}), http.StatusOK)
	var tokens []map[string]any
	if err := json.Unmarshal(a.body, &tokens); err != nil {
		t.Fatalf("want an array: %v: %s", err, a.body)
	}
	got := map[string]string{}
	for _, document := range tokens {
		got[text(document, "resource_server")] = text(document, "scope")
		if _, there := document["other_tokens"]; there {
			t.Errorf("other_tokens in %v", document)
		}
	}
	if diff := cmp.Diff(p.ready.DependentGrant.Expect, got); diff != "" {
		t.Errorf("dependent tokens (-want +got):\n%s", diff)
	}
}

func TestToken_ClientCredentials(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	response := p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), url.Values{
		"grant_type": {"client_credentials"}, "scope": {"openid profile email " + transferAll},
	}), http.StatusOK).json(t)
	if response["refresh_token"] != nil {
		t.Error("a refresh token came with client credentials")
	}
	if response["id_token"] == nil {
		t.Error("no ID token although openid was asked for")
	}
	info := p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(response, "access_token")), nil), http.StatusOK).json(t)
	if got, want := info["preferred_username"], p.ready.ConfidentialClientID+"@clients.auth.globus.org"; got != want {
		t.Errorf("preferred_username = %v, want %v", got, want)
	}
	if email, there := info["email"]; !there || email != nil {
		t.Errorf("email = %v, want an explicit null", email)
	}
}

func TestIntrospect_Include(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newPeer(t, authtest.Config{Now: func() time.Time { return now }})
	response := p.login(p.ready.DependentGrant.Scope)
	ask := func() map[string]any {
		return p.want(p.do("POST", "/v2/oauth2/token/introspect", p.confidential(), url.Values{
			"token": {text(response, "access_token")}, "include": {"identity_set", "session_info", "identity_set_detail"},
			"authentication_policies": {p.ready.PolicyID},
		}), http.StatusOK).json(t)
	}
	active := ask()
	if active["active"] != true || active["username"] != p.ready.Users[0].Username {
		t.Errorf("introspection = %v", active)
	}
	if set, _ := active["identity_set"].([]any); len(set) != 2 {
		t.Errorf("identity_set = %v, want two: include is sent twice", active["identity_set"])
	}
	if active["iat"] != float64(now.Unix()) || active["exp"] != float64(now.Add(48*time.Hour).Unix()) {
		t.Errorf("iat, exp = %v, %v", active["iat"], active["exp"])
	}
	evaluation := func(document map[string]any) any {
		evaluations, _ := document["policy_evaluations"].(map[string]any)
		policy, _ := evaluations[p.ready.PolicyID].(map[string]any)
		return policy["evaluation"]
	}
	if got := evaluation(active); got != true {
		t.Errorf("evaluation = %v right after the login, want true", got)
	}
	p.server.Advance(time.Hour + time.Second)
	if got := evaluation(ask()); got != false {
		t.Errorf("evaluation = %v after the timeout, want false", got)
	}
	p.server.Advance(48 * time.Hour)
	if diff := cmp.Diff(map[string]any{"active": false}, ask()); diff != "" {
		t.Errorf("after expiry (-want +got):\n%s", diff)
	}
}
