package authtest_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
)

type object = map[string]any

// developer is a peer with alice's token for the developer API.
func developer(t *testing.T) (*peer, string) {
	t.Helper()
	p := newPeer(t, authtest.Config{})
	return p, bearer(text(p.login("openid "+manage), "access_token"))
}

// inner returns an object within a document.
func inner(t *testing.T, document object, name string) object {
	t.Helper()
	found, ok := document[name].(object)
	if !ok {
		t.Fatalf("no object %s in %v", name, document)
	}
	return found
}

func TestDeveloperAPI_CreateReadUpdateDelete(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	me := p.ready.Users[0].IdentityID

	project := inner(t, p.want(p.do("POST", "/v2/api/projects", alice, object{"project": object{
		"display_name": "Second", "contact_email": "a@example.edu", "admin_ids": []string{me},
	}}), 200).json(t), "project")
	id := text(project, "id")
	p.want(p.do("PUT", "/v2/api/projects/"+id, alice, object{"project": object{"display_name": "Renamed"}}), 200)
	if got := inner(t, p.want(p.do("GET", "/v2/api/projects/"+id, alice, nil), 200).json(t), "project"); got["display_name"] != "Renamed" || got["contact_email"] != "a@example.edu" {
		t.Errorf("after a partial update: %v", got)
	}
	p.want(p.do("PUT", "/v2/api/projects/"+id, alice, object{"project": object{}}), 200)

	client := inner(t, p.want(p.do("POST", "/v2/api/clients", alice, object{"client": object{
		"name": "Service", "project": id, "public_client": false, "redirect_uris": []string{"https://a.example.edu/cb"},
		"links": object{"privacy_policy": "https://a.example.edu/p", "terms_and_conditions": "https://a.example.edu/t"},
	}}), 200).json(t), "client")
	clientID := text(client, "id")
	credential := inner(t, p.want(p.do("POST", "/v2/api/clients/"+clientID+"/credentials", alice, object{"credential": object{"name": "key"}}), 200).json(t), "credential")
	secret := text(credential, "secret")
	if list := p.do("GET", "/v2/api/clients/"+clientID+"/credentials", alice, nil); strings.Contains(string(list.body), secret) {
		t.Error("the list of credentials shows the secret")
	}
	self := basic(clientID, secret)
	p.want(p.do("POST", "/v2/api/clients/"+clientID+"/fqdns", self, object{"fqdn": "a.example.edu"}), 200)
	p.want(p.do("POST", "/v2/api/clients/"+clientID+"/fqdns", self, object{"fqdn": p.ready.FQDN}), 409)

	made := p.want(p.do("POST", "/v2/api/clients/"+clientID+"/scopes", self, object{"scope": object{
		"name": "Do", "description": "Do things", "scope_suffix": "do", "dependent_scopes": []object{{
			"scope": "80fa5a88-ae26-4db7-be3a-c5f4cf4ac8d2", "optional": false, "requires_refresh_token": true,
		}},
	}}), 200).json(t)
	if list, _ := made["scopes"].([]any); len(list) != 2 {
		t.Errorf("scopes = %v, want one for the client ID and one for the host name", made["scopes"])
	}
	scope := inner(t, made, "scope")
	if got, want := scope["scope_string"], "https://auth.globus.org/scopes/"+clientID+"/do"; got != want {
		t.Errorf("scope_string = %v, want %v", got, want)
	}
	got := p.want(p.do("GET", "/v2/api/scopes?scope_strings="+url.QueryEscape(text(scope, "scope_string")), alice, nil), 200).json(t)
	if diff := cmp.Diff([]any{scope}, got["scopes"]); diff != "" {
		t.Errorf("scopes (-created +found):\n%s", diff)
	}

	// The new resource server gets a refresh token for what its scope depends on.
	response := p.login(text(scope, "scope_string"))
	exchanged := p.want(p.do("POST", "/v2/oauth2/token", self, url.Values{
		"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {text(response, "access_token")},
	}), 200)
	if !strings.Contains(string(exchanged.body), `"refresh_token":"fake-refresh-`) {
		t.Errorf("no refresh token although the dependency requires one: %s", exchanged.body)
	}

	p.want(p.do("DELETE", "/v2/api/projects/"+id, alice, nil), 409)
	p.want(p.do("DELETE", "/v2/api/clients/"+clientID+"/credentials/"+text(credential, "id"), alice, nil), 200)
	p.want(p.do("GET", "/v2/api/clients/"+clientID, self, nil), 401)
	p.want(p.do("DELETE", "/v2/api/scopes/"+text(scope, "id"), alice, nil), 200)
	p.want(p.do("DELETE", "/v2/api/clients/"+clientID, alice, nil), 200)
	p.want(p.do("GET", "/v2/api/clients/"+clientID, alice, nil), 404)
	p.want(p.do("DELETE", "/v2/api/projects/"+id, alice, nil), 200)
	p.want(p.do("GET", "/v2/api/projects/"+id, alice, nil), 404)
}

func TestDeveloperAPI_Policies(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	created := inner(t, p.want(p.do("POST", "/v2/api/policies", alice, object{"policy": object{
		"project_id": p.ready.ProjectID, "display_name": "P", "description": "D", "domain_constraints_include": []string{},
		"domain_constraints_exclude": nil, "authentication_assurance_timeout": 60,
	}}), 200).json(t), "policy")
	path := "/v2/api/policies/" + text(created, "id")
	if list, isList := created["domain_constraints_include"].([]any); !isList || len(list) != 0 {
		t.Errorf("include = %v, want an empty list, not null", created["domain_constraints_include"])
	}
	if exclude, there := created["domain_constraints_exclude"]; !there || exclude != nil {
		t.Errorf("exclude = %v, want null", exclude)
	}
	updated := inner(t, p.want(p.do("PUT", path, alice, object{"policy": object{
		"domain_constraints_include": nil, "authentication_assurance_timeout": nil, "high_assurance": true, "required_mfa": true,
	}}), 200).json(t), "policy")
	if updated["domain_constraints_include"] != nil || updated["authentication_assurance_timeout"] != nil || updated["required_mfa"] != true {
		t.Errorf("updated = %v", updated)
	}
	refused := p.want(p.do("PUT", path, alice, object{"policy": object{"high_assurance": false}}), 400)
	if !strings.Contains(string(refused.body), "required_mfa needs high_assurance") {
		t.Errorf("refused without the reason: %s", refused.body)
	}
	p.want(p.do("DELETE", path, alice, nil), 200)
	p.want(p.do("GET", path, alice, nil), 404)
}

func TestDeveloperAPI_ClientTypes(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	instance := p.want(p.do("POST", "/v2/api/clients", "", object{"client": object{"template_id": p.ready.TemplateID, "name": "mine"}}), 200).json(t)
	credential := inner(t, inner(t, instance, "included"), "client_credential")
	record := inner(t, instance, "client")
	if record["parent_client"] != p.ready.TemplateID || record["project"] != nil {
		t.Errorf("instance = %v", record)
	}
	self := basic(text(record, "id"), text(credential, "secret"))
	p.want(p.do("GET", "/v2/api/clients/"+text(record, "id"), self, nil), 200)
	p.want(p.do("DELETE", "/v2/api/clients/"+text(record, "id"), self, nil), 200)

	child := inner(t, p.want(p.do("POST", "/v2/api/clients", p.confidential(), object{"client": object{"name": "child", "public_client": true}}), 200).json(t), "client")
	if child["parent_client"] != p.ready.ConfidentialClientID {
		t.Errorf("child = %v", child)
	}
	p.want(p.do("DELETE", "/v2/api/clients/"+p.ready.ConfidentialClientID, alice, nil), 409)

	found := p.want(p.do("GET", "/v2/api/clients?fqdn="+p.ready.FQDN, alice, nil), 200).json(t)
	if inner(t, found, "client")["id"] != p.ready.ConfidentialClientID {
		t.Errorf("by host name: %v", found)
	}
}

func TestDeveloperAPI_InvalidRequests(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	bob := bearer(text(p.login("openid "+manage, "login_hint", "bob@example.edu"), "access_token"))
	weak := bearer(text(p.login("openid"), "access_token"))
	project := "/v2/api/projects/" + p.ready.ProjectID
	newClient := func(fields object) object {
		client := object{"name": "c", "project": p.ready.ProjectID, "public_client": true}
		for name, value := range fields {
			if value == nil {
				delete(client, name)
			} else {
				client[name] = value
			}
		}
		return object{"client": client}
	}
	newScope := func(fields object) object {
		scope := object{"name": "n", "description": "d", "scope_suffix": "s"}
		maps.Copy(scope, fields)
		return object{"scope": scope}
	}
	scopesPath := "/v2/api/clients/" + p.ready.ConfidentialClientID + "/scopes"
	for _, test := range []struct {
		name, method, path, authorization string
		body                              any
		status                            int
		reason                            string
	}{
		{"no authorization", "GET", "/v2/api/projects", "", nil, 401, "Call must be authenticated"},
		{"unknown token", "GET", "/v2/api/projects", bearer("nope"), nil, 401, "unknown, expired or revoked"},
		{"scope missing", "GET", "/v2/api/projects", weak, nil, 403, "lacks the scope"},
		{"no administrator", "GET", project, bob, nil, 403, "not an administrator"},
		{"wrong secret", "POST", "/v2/oauth2/token", basic(p.ready.ConfidentialClientID, "x"), url.Values{"grant_type": {"client_credentials"}}, 401, "Basic auth failed"},
		{"unknown project", "GET", "/v2/api/projects/00000000-0000-4000-8000-000000000000", alice, nil, 404, "No project"},
		{"no admins", "POST", "/v2/api/projects", alice, object{"project": object{"display_name": "x", "contact_email": "x@y"}}, 400, "At least one of admin_ids"},
		{"unknown admin", "POST", "/v2/api/projects", alice, object{"project": object{"display_name": "x", "contact_email": "x@y", "admin_ids": []string{"00000000-0000-4000-8000-000000000000"}}}, 400, "No identity"},
		{"both kinds", "POST", "/v2/api/clients", alice, newClient(object{"client_type": "confidential_client"}), 400, "Exactly one of public_client"},
		{"neither kind", "POST", "/v2/api/clients", alice, newClient(object{"public_client": nil}), 400, "Exactly one of public_client"},
		{"one link", "POST", "/v2/api/clients", alice, newClient(object{"links": object{"privacy_policy": "https://x"}}), 400, "links needs both"},
		{"name of two lines", "POST", "/v2/api/clients", alice, newClient(object{"name": "a\nb"}), 400, "without line breaks"},
		{"http redirect", "POST", "/v2/api/clients", alice, newClient(object{"redirect_uris": []string{"http://example.edu/"}}), 400, "must use https"},
		{"fragment", "POST", "/v2/api/clients", alice, newClient(object{"redirect_uris": []string{"https://example.edu/#x"}}), 400, "has a fragment"},
		{"unknown provider", "POST", "/v2/api/clients", alice, newClient(object{"required_idp": "00000000-0000-4000-8000-000000000000"}), 400, "no identity provider"},
		{"not a template", "POST", "/v2/api/clients", "", object{"client": object{"template_id": p.ready.NativeClientID, "name": "x"}}, 400, "There is no template"},
		{"foreign client", "PUT", "/v2/api/clients/" + p.ready.NativeClientID, p.confidential(), object{"client": object{"name": "x"}}, 403, "itself and its children only"},
		{"bad suffix", "POST", scopesPath, p.confidential(), newScope(object{"scope_suffix": "No-Good"}), 400, "lower-case letters"},
		{"suffix taken", "POST", scopesPath, p.confidential(), newScope(object{"scope_suffix": "jobs"}), 409, "exists already"},
		{"scope in use", "DELETE", "/v2/api/scopes/80fa5a88-ae26-4db7-be3a-c5f4cf4ac8d2", alice, nil, 403, "not an administrator"},
		{"bad host name", "POST", "/v2/api/clients/" + p.ready.ConfidentialClientID + "/fqdns", p.confidential(), object{"fqdn": "no host"}, 400, "not a fully qualified domain name"},
		{"secret for a public client", "POST", "/v2/api/clients/" + p.ready.NativeClientID + "/credentials", alice, object{"credential": object{"name": "x"}}, 400, "has no credentials"},
		{"ids and strings", "GET", "/v2/api/scopes?ids=80fa5a88-ae26-4db7-be3a-c5f4cf4ac8d2&scope_strings=x", alice, nil, 400, "exclude each other"},
		{"not JSON", "POST", "/v2/api/projects", alice, "{", 400, "The body cannot be read"},
		{"wrong type", "POST", "/v2/api/projects", alice, object{"project": object{"display_name": 1}}, 400, "The body cannot be read"},
		{"no path", "GET", "/v2/api/nothing", alice, nil, 404, "There is no GET"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := p.do(test.method, test.path, test.authorization, test.body)
			if a.status != test.status || !strings.Contains(string(a.body), test.reason) {
				t.Errorf("status %d %s, want %d with %q", a.status, a.body, test.status, test.reason)
			}
		})
	}
}

func TestDeveloperAPI_DeleteObjectInUse(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	owner := p.server.AddClient(authtest.Client{Name: "owner", Secret: "s", Project: p.ready.ProjectID, Scopes: []authtest.Scope{{Suffix: "a"}}})
	user := p.server.AddClient(authtest.Client{Name: "user", Secret: "s", Project: p.ready.ProjectID, Scopes: []authtest.Scope{{
		Suffix: "b", DependsOn: []authtest.Dependency{{Scope: owner.Scopes[0].Scope}},
	}}})
	for _, path := range []string{"/v2/api/scopes/" + owner.Scopes[0].ID, "/v2/api/clients/" + owner.ID} {
		if a := p.do("DELETE", path, alice, nil); a.status != 409 || !strings.Contains(string(a.body), user.Scopes[0].Scope) {
			t.Errorf("%s: status %d %s, want 409 with the scope that depends on it", path, a.status, a.body)
		}
	}
	circle := object{"scope": object{"dependent_scopes": []object{{"scope": user.Scopes[0].ID, "optional": true, "requires_refresh_token": false}}}}
	if a := p.do("PUT", "/v2/api/scopes/"+owner.Scopes[0].ID, alice, circle); a.status != 400 || !strings.Contains(string(a.body), "circular") {
		t.Errorf("circle: status %d %s", a.status, a.body)
	}
	p.want(p.do("DELETE", "/v2/api/scopes/"+user.Scopes[0].ID, alice, nil), 200)
	p.want(p.do("DELETE", "/v2/api/clients/"+owner.ID, alice, nil), 200)
}

func TestDeveloperAPI_AdministratorNeedsRecentLogin(t *testing.T) {
	t.Parallel()
	p, alice := developer(t)
	path := "/v2/api/projects/" + p.ready.ProjectID
	p.server.Advance(31 * time.Minute)
	refused := p.want(p.do("PUT", path, alice, object{"project": object{"display_name": "x"}}), 403).json(t)
	parameters := inner(t, refused, "authorization_parameters")
	policies, _ := parameters["session_required_policies"].([]any)
	if len(policies) != 1 || refused["code"] != nil || parameters["session_message"] == nil {
		t.Fatalf("requirement = %v", refused)
	}
	again := p.login("openid "+manage, "session_required_policies", policies[0].(string))
	p.want(p.do("PUT", path, bearer(text(again, "access_token")), object{"project": object{"display_name": "x"}}), 200)
	if status := p.do("GET", path, alice, nil).status; status != http.StatusOK {
		t.Errorf("reading returns %d; only changes need a fresh sign-in", status)
	}
}
