package authtest_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
)

// refresh uses a refresh token of the native client.
func (p *peer) refresh(token string, more ...string) result {
	p.tb.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {p.ready.NativeClientID}, "refresh_token": {token}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return p.do("POST", "/v2/oauth2/token", "", form)
}

func TestToken_Refresh(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	login := p.login("openid "+transferAll, "access_type", "offline")
	first := token(t, login, "transfer.api.globus.org")
	again := p.want(p.refresh(text(first, "refresh_token")), 200).json(t)
	if again["refresh_token"] != first["refresh_token"] || again["access_token"] == first["access_token"] {
		t.Error("want the same refresh token and another access token")
	}
	if others, isList := again["other_tokens"].([]any); !isList || len(others) != 0 || again["scope"] != transferAll {
		t.Errorf("response = %v", again)
	}
	p.want(p.refresh(text(first, "refresh_token"), "scope", "openid"), 400)
	p.server.Advance(181 * 24 * time.Hour)
	p.want(p.refresh(text(first, "refresh_token")), 200)
	p.server.Advance(181 * 24 * time.Hour)
	p.want(p.refresh(text(first, "refresh_token")), 200)
	p.server.Advance(183 * 24 * time.Hour)
	p.want(p.refresh(text(first, "refresh_token")), 400)
}

func TestToken_OfflineAccessScope(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	login := p.login("openid offline_access")
	if login["refresh_token"] == nil || login["scope"] != "openid" {
		t.Errorf("response = %v, want a refresh token, and offline_access not among the scopes", login)
	}
	if plain := p.login("openid"); plain["refresh_token"] != nil {
		t.Error("a refresh token came unasked")
	}
}

func TestToken_RotatedRefreshTokens(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		grace time.Duration
		after time.Duration
		want  int
	}{
		{"no grace", 0, 0, 400},
		{"within the grace", time.Minute, 59 * time.Second, 200},
		{"after the grace", time.Minute, time.Minute, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, authtest.Config{RotateRefreshTokens: true, RefreshTokenGrace: test.grace})
			old := text(p.login("openid", "access_type", "offline"), "refresh_token")
			next := text(p.want(p.refresh(old), 200).json(t), "refresh_token")
			if next == old {
				t.Fatal("the refresh token was not rotated")
			}
			p.server.Advance(test.after)
			a := p.want(p.refresh(old), test.want)
			p.want(p.refresh(old), test.want)
			if test.want == 200 && text(a.json(t), "refresh_token") == next {
				t.Error("the second use gave the same refresh token as the first")
			}
			p.want(p.refresh(next), 200)
			want := map[string]int{"ok": 2, "invalid_grant": 2}
			if test.want == 200 {
				want = map[string]int{"ok": 4, "invalid_grant": 0}
			}
			if diff := cmp.Diff(want, p.server.Stats().Grants["refresh_token"]); diff != "" {
				t.Errorf("statistics (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRevoke_Tokens(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	login := p.login("openid", "access_type", "offline")
	userinfo := func() int {
		return p.do("GET", "/v2/oauth2/userinfo", bearer(text(login, "access_token")), nil).status
	}
	revoke := func(authorization, clientID, name string) result {
		form := url.Values{"token": {text(login, name)}}
		if clientID != "" {
			form.Set("client_id", clientID)
		}
		return p.do("POST", "/v2/oauth2/token/revoke", authorization, form)
	}
	p.want(revoke("", "", "access_token"), 401)
	if a := p.want(revoke(p.confidential(), "", "refresh_token"), 200); string(a.body) != `{"active":false}` || userinfo() != 200 {
		t.Errorf("another client's revocation: %s, userinfo %d; want no effect", a.body, userinfo())
	}
	p.want(revoke("", p.ready.NativeClientID, "refresh_token"), 200)
	if userinfo() != 401 {
		t.Error("the access token outlived its refresh token")
	}
	p.want(p.refresh(text(login, "refresh_token")), 400)
	p.want(revoke("", p.ready.NativeClientID, "access_token"), 200)
}

func TestToken_MissingDependentConsent(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	access := text(p.login(p.ready.DependentGrant.Scope), "access_token")
	ask := func(more ...string) result {
		form := url.Values{"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {access}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return p.do("POST", "/v2/oauth2/token", p.confidential(), form)
	}
	var list []map[string]any
	if err := json.Unmarshal(p.want(ask("scope", transferAll, "access_type", "offline"), 200).body, &list); err != nil || len(list) != 1 || list[0]["refresh_token"] == nil {
		t.Errorf("restricted to Transfer, offline: %v %v", list, err)
	}
	p.want(ask("scope", "nonsense"), 400)
	p.server.AddClient(authtest.Client{ID: "0d000000-0000-4000-8000-000000000001", Name: "thief", Secret: "s"})
	stolen := p.do("POST", "/v2/oauth2/token", basic("0d000000-0000-4000-8000-000000000001", "s"), url.Values{
		"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {access},
	})
	if p.want(stolen, 400); string(stolen.body) != `{"error":"invalid_grant"}` {
		t.Errorf("for a client that the token is not for: %s", stolen.body)
	}
	if p.server.RevokeConsents("alice@example.edu", transferAll) != 1 {
		t.Fatal("nothing was revoked")
	}
	refused := p.want(ask(), 403).json(t)
	details, _ := refused["errors"].([]any)
	detail, _ := details[0].(map[string]any)
	if diff := cmp.Diff([]any{transferAll}, detail["unapproved_scopes"]); diff != "" || refused["error"] != "dependent_consent_required" {
		t.Errorf("refusal = %v", refused)
	}
	p.server.RevokeConsents("alice@example.edu")
	if a := p.want(ask(), 400); string(a.body) != `{"error":"invalid_grant"}` {
		t.Errorf("with a dead token: %s", a.body)
	}
}

func TestGetConsents_List(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	scope := p.ready.Dependent.Parent + "[*" + p.ready.Dependent.Child + "]"
	weak := bearer(text(p.login("openid "+scope), "access_token"))
	path := "/v2/api/identities/" + p.ready.Users[0].IdentityID + "/consents"
	document := p.want(p.do("GET", path+"?all=False", weak, nil), 200).json(t)
	list, _ := document["consents"].([]any)
	byScope := map[string]map[string]any{}
	for _, entry := range list {
		consent, _ := entry.(map[string]any)
		if len(consent) != 13 {
			t.Errorf("consent has %d fields, want 13: %v", len(consent), consent)
		}
		if created := text(consent, "created"); !strings.HasSuffix(created, "+00:00") || !strings.Contains(created, ".") {
			t.Errorf("created = %s, want microseconds and +00:00", created)
		}
		byScope[text(consent, "scope_name")] = consent
	}
	parent, child := byScope[p.ready.Dependent.Parent], byScope[p.ready.Dependent.Child]
	if len(byScope) != 3 || parent == nil || child == nil {
		t.Fatalf("consents = %v", byScope)
	}
	if diff := cmp.Diff([]any{parent["id"], child["id"]}, child["dependency_path"]); diff != "" {
		t.Errorf("dependency path (-want +got):\n%s", diff)
	}
	if child["atomically_revocable"] != true || parent["atomically_revocable"] != false || child["client"] == parent["client"] {
		t.Errorf("child = %v, parent = %v", child, parent)
	}
	p.want(p.do("GET", path+"?all=True", weak, nil), 403)
	strong := bearer(text(p.login("openid urn:globus:auth:scope:auth.globus.org:view_consents"), "access_token"))
	p.want(p.do("GET", path+"?all=True", strong, nil), 200)
	bob := bearer(text(p.login("openid", "login_hint", "bob@example.edu"), "access_token"))
	p.want(p.do("GET", path, bob, nil), 403)
	p.server.Issue(authtest.Grant{User: "alice@example.edu", Client: p.ready.ConfidentialClientID, Scopes: []string{"profile"}})
	for query, want := range map[string]int{"": 4, "?all=true": 5} {
		document := p.want(p.do("GET", path+query, strong, nil), 200).json(t)
		if list, _ := document["consents"].([]any); len(list) != want {
			t.Errorf("%q: %d consents, want %d; those of another client only with all", query, len(list), want)
		}
	}
}

func TestGetIdentities_Parameters(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	full := bearer(text(p.login("openid urn:globus:auth:scope:auth.globus.org:view_identities"), "access_token"))
	weak := bearer(text(p.login("openid"), "access_token"))
	get := func(authorization, query string) []any {
		t.Helper()
		list, _ := p.want(p.do("GET", "/v2/api/identities?"+query, authorization, nil), 200).json(t)["identities"].([]any)
		return list
	}
	if got := get(full, "usernames=bob%40example.edu%2Cnobody%40example.edu&provision=false"); len(got) != 1 {
		t.Errorf("identities = %v, want bob alone", got)
	}
	if got := get(weak, "usernames=bob%40example.edu&provision=false")[0].(map[string]any); got["email"] != nil || got["username"] != "bob@example.edu" {
		t.Errorf("without view_identities: %v", got)
	}
	made := get(full, "usernames=new%40example.edu%2Cnew%40unknown.example.org&provision=true")
	if len(made) != 1 || made[0].(map[string]any)["status"] != "unused" {
		t.Errorf("provisioned = %v, want one unused: no provider has the other domain", made)
	}
	if got := get(full, "ids="+text(made[0].(map[string]any), "id")+"&ids="+p.ready.Users[1].IdentityID); len(got) != 2 {
		t.Errorf("duplicate ids: %v", got)
	}
	other := bearer(text(token(t, p.login("openid "+transferAll), "transfer.api.globus.org"), "access_token"))
	if a := p.do("GET", "/v2/api/identities?usernames=bob%40example.edu", other, nil); a.status != 401 || !strings.Contains(string(a.body), "is for transfer.api.globus.org") {
		t.Errorf("with a token for another service: %d %s", a.status, a.body)
	}
	for query, reason := range map[string]string{
		"": "Exactly one of", "ids=x&usernames=y": "Exactly one of", "ids=nonsense": "not a UUID", "usernames=bob": "has no domain",
	} {
		a := p.do("GET", "/v2/api/identities?"+query, full, nil)
		if a.status != 400 || !strings.Contains(string(a.body), reason) {
			t.Errorf("%q: status %d %s, want 400 with %q", query, a.status, a.body, reason)
		}
	}
	included := p.want(p.do("GET", "/v2/api/identities/"+p.ready.Users[2].IdentityID+"?include=identity_provider", full, nil), 200).json(t)
	providers, _ := inner(t, included, "included")["identity_providers"].([]any)
	if len(providers) != 1 || providers[0].(map[string]any)["short_name"] != "globusid" {
		t.Errorf("included = %v", included)
	}
	for query, want := range map[string]int{"domains=example.edu,globusid.org": 200, "ids=" + p.ready.IdentityProvider.ID: 200, "": 400, "ids=x&domains=y": 400} {
		p.want(p.do("GET", "/v2/api/identity_providers?"+query, full, nil), want)
	}
}

func TestIntrospect_CallersOutsideAudience(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	login := p.login(transferAll, "access_type", "offline")
	for _, name := range []string{"access_token", "refresh_token"} {
		if got := p.introspected(text(login, name), ""); got["active"] != false || len(got) != 1 {
			t.Errorf("%s of another client for another service: %v", name, got)
		}
	}
	p.want(p.do("POST", "/v2/oauth2/token/introspect", "", url.Values{"token": {text(login, "access_token")}}), 401)
}

func TestIntrospect_RevokedDependencies(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	client := p.server.AddClient(authtest.Client{Name: "doomed", Secret: "s3cret", Project: p.ready.ProjectID, Scopes: []authtest.Scope{{Suffix: "x"}}})
	issue := func() string {
		return p.server.Issue(authtest.Grant{Client: client.ID, User: "alice@example.edu", Scopes: []string{"openid"}})[0].AccessToken
	}
	byClient := issue()
	status := func(token string) int { return p.do("GET", "/v2/oauth2/userinfo", bearer(token), nil).status }
	if status(byClient) != 200 {
		t.Fatal("the token is not alive to begin with")
	}
	own := text(p.want(p.do("POST", "/v2/oauth2/token", basic(client.ID, "s3cret"), url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}), 200).json(t), "access_token")
	credential := client.Credentials[0].ID
	p.want(p.do("DELETE", "/v2/api/clients/"+client.ID+"/credentials/"+credential, alice, nil), 200)
	if status(own) != 401 || status(byClient) != 200 {
		t.Errorf("after the credential: %d and %d, want 401 and 200", status(own), status(byClient))
	}
	p.want(p.do("DELETE", "/v2/api/clients/"+client.ID, alice, nil), 200)
	if status(byClient) != 401 {
		t.Error("the token outlived its client")
	}
	expired := p.server.Issue(authtest.Grant{Client: p.ready.NativeClientID, User: "bob@example.edu", Scopes: []string{"openid"}, Age: 49 * time.Hour})[0]
	if status(expired.AccessToken) != 401 {
		t.Error("an expired token works")
	}
}
