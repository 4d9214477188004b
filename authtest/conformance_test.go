package authtest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// recorded returns the recorded response of a case.
func recorded(t *testing.T, file, name string) (status int, document any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "recorded", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Case     string `json:"case"`
		Response struct {
			Status int `json:"status"`
			JSON   any `json:"json"`
		} `json:"response"`
	}
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		var one entry
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		entries = []entry{one}
	}
	for _, e := range entries {
		if e.Case == name {
			return e.Response.Status, e.Response.JSON
		}
	}
	t.Fatalf("%s has no case %s", file, name)
	return 0, nil
}

// shape records the type of every field of a document. Elements of a list share
// one path, and null fits any type. IDs and URLs that are names of fields count
// as one.
func shape(into map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		into[path] = "object"
		for name, field := range v {
			if len(name) == 36 && strings.Count(name, "-") == 4 {
				name = "{id}"
			}
			shape(into, path+"."+name, field)
		}
	case []any:
		into[path] = "list"
		for _, element := range v {
			shape(into, path+"[]", element)
		}
	case nil:
		if into[path] == "" {
			into[path] = "null"
		}
	default:
		into[path] = fmt.Sprintf("%T", value)
	}
}

// differences compares two documents by their shapes.
func differences(want, got any) []string {
	wanted, gotten := map[string]string{}, map[string]string{}
	shape(wanted, "", want)
	shape(gotten, "", got)
	var found []string
	below := func(path string, shapes map[string]string) bool { // within a list that is empty on the other side
		for at := strings.LastIndex(path, "[]"); at >= 0; at = strings.LastIndex(path[:at], "[]") {
			if _, there := shapes[path[:at]+"[]"]; !there {
				return true
			}
		}
		return false
	}
	for path, kind := range wanted {
		other, there := gotten[path]
		switch {
		case !there && !below(path, gotten) && gotten[parentOf(path)] != "null":
			found = append(found, "missing "+path)
		case there && kind != other && kind != "null" && other != "null":
			found = append(found, fmt.Sprintf("type %s %s instead of %s", path, other, kind))
		}
	}
	for path := range gotten {
		if _, there := wanted[path]; !there && !below(path, wanted) && wanted[parentOf(path)] != "null" {
			found = append(found, "added "+path)
		}
	}
	slices.Sort(found)
	return found
}

func parentOf(path string) string { return path[:max(strings.LastIndex(path, "."), 0)] }

// TestServer_RecordedResponses compares responses with recorded ones: the same status,
// the same fields, the same types. The differences are listed, with the reason.
func TestServer_RecordedResponses(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	alice := bearer(text(p.login("openid "+manage+" urn:globus:auth:scope:auth.globus.org:view_identities"), "access_token"))
	me := p.ready.Users[0]
	all := "openid profile email urn:globus:auth:scope:auth.globus.org:view_identity_set"
	person := bearer(text(p.login(all), "access_token"))
	jobs := text(p.login(p.ready.DependentGrant.Scope), "access_token")
	exchange := func(scope string) result { return p.exchange(p.callback(p.authorizeQuery(scope)).Get("code")) }
	tokenCall := func(form url.Values) result {
		return p.do("POST", "/v2/oauth2/token", p.confidential(), form)
	}
	introspect := func(include, policies string) result {
		return p.do("POST", "/v2/oauth2/token/introspect", p.confidential(), url.Values{
			"token": {jobs}, "include": {include}, "authentication_policies": {policies},
		})
	}
	clientPath := "/v2/api/clients/" + p.ready.ConfidentialClientID
	newProject := func() result {
		return p.do("POST", "/v2/api/projects", alice, object{"project": object{"display_name": "x", "contact_email": "x@y", "admin_ids": []string{me.IdentityID}}})
	}
	newPolicy := func() result {
		return p.do("POST", "/v2/api/policies", alice, object{"policy": object{"project_id": p.ready.ProjectID, "display_name": "x", "description": "y"}})
	}
	newClient := func() result {
		return p.do("POST", "/v2/api/clients", alice, object{"client": object{"name": "x", "project": p.ready.ProjectID, "public_client": true}})
	}
	newScope := func(suffix string) result {
		return p.do("POST", clientPath+"/scopes", alice, object{"scope": object{"name": "x", "description": "y", "scope_suffix": suffix}})
	}
	newCredential := func() result {
		return p.do("POST", clientPath+"/credentials", alice, object{"credential": object{"name": "x"}})
	}
	remove := func(created result, kind, path string) result {
		return p.do("DELETE", path+text(inner(t, created.json(t), kind), "id"), alice, nil)
	}
	const (
		cacheKey     = "added .dependent_tokens_cache_id" // recorded in another response
		noFQDN       = "added .scopes"                    // sources disagree: both forms are given
		noPublic     = "added .client.public_client"      // the recorded child and typed clients leave it out, clients that are read have it
		noChild      = "added .client.project"            // the recorded child client leaves it out, the record has it
		noID         = "added .client.id"                 // the recorded creations leave out what the SDK did not send
		noVisibility = "added .client.visibility"
		fullSet      = "added .policy."                               // the recorded response to a creation has only the fields of the request
		kidStyle     = "type .session_info.authentications.{id}.amr " // recorded as null and as a list
	)
	for _, test := range []struct {
		file, name string
		got        result
		allowed    []string // beginnings of differences that are meant
	}{
		{"openid_configuration", "default", p.do("GET", "/.well-known/openid-configuration", "", nil), nil},
		{"jwk", "default", p.do("GET", "/jwk.json", "", nil), nil},
		{"oauth2_exchange_code_for_tokens", "default", exchange(transferAll), nil},
		{"oauth2_exchange_code_for_tokens", "openid", exchange("openid"), []string{"added .state"}}, // left out of that one
		{"oauth2_client_credentials_tokens", "default", tokenCall(url.Values{"grant_type": {"client_credentials"}, "scope": {transferAll}}), nil},
		{"oauth2_client_credentials_tokens", "openid", tokenCall(url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}), nil},
		{"oauth2_get_dependent_tokens", "groups", tokenCall(url.Values{"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {jobs}}), nil},
		{"oauth2_get_dependent_tokens", "groups_with_refresh_token", tokenCall(url.Values{"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {jobs}, "access_type": {"offline"}}), nil},
		{"oauth2_revoke_token", "default", p.do("POST", "/v2/oauth2/token/revoke", p.confidential(), url.Values{"token": {"x"}}), nil},
		{"oauth2_token_introspect", "default", introspect("", ""), []string{cacheKey}},
		{"introspect_extra", "session_info_mfa", introspect("session_info", ""), []string{cacheKey}},
		{"introspect_extra", "identity_set_detail_and_policies", introspect("session_info,identity_set,identity_set_detail", p.ready.PolicyID), []string{
			cacheKey, kidStyle, "added .identity_set_detail[].status", "added .identity_set_detail[].last_authentication", // as in userinfo
		}},
		{"introspect_extra", "inactive", p.do("POST", "/v2/oauth2/token/introspect", p.confidential(), url.Values{"token": {"x"}}), nil},
		{"identities_extra", "ok_with_identity_set", p.do("GET", "/v2/oauth2/userinfo", person, nil), nil},
		{"identities_extra", "ok_openid_only", p.do("GET", "/v2/oauth2/userinfo", alice, nil), nil},
		{"userinfo", "unauthorized", p.do("GET", "/v2/oauth2/userinfo", "", nil), nil},
		{"get_identities", "globusid", p.do("GET", "/v2/api/identities?ids="+me.IdentityID, alice, nil), nil},
		{"get_identities", "empty", p.do("GET", "/v2/api/identities?usernames=unknown%40example.edu&provision=false", alice, nil), nil},
		{"get_identities", "unauthorized", p.do("GET", "/v2/api/identities?ids="+me.IdentityID, "", nil), nil},
		{"identities_extra", "included_identity_providers", p.do("GET", "/v2/api/identities?include=identity_provider&ids="+me.IdentityID, alice, nil), nil},
		{"identities_extra", "client_identity", p.do("GET", "/v2/api/identities?ids="+p.ready.ConfidentialClientID, alice, nil), nil},
		{"identities_extra", "single", p.do("GET", "/v2/api/identities/"+me.IdentityID, alice, nil), nil},
		{"get_identity_providers", "default", p.do("GET", "/v2/api/identity_providers?domains=globusid.org", alice, nil), nil},
		{"get_consents", "default", p.do("GET", "/v2/api/identities/"+me.IdentityID+"/consents", alice, nil), nil},
		{"get_projects", "default", p.do("GET", "/v2/api/projects", alice, nil), nil},
		{"get_project", "default", p.do("GET", "/v2/api/projects/"+p.ready.ProjectID, alice, nil), nil},
		{"create_project", "default", newProject(), nil},
		{"delete_project", "default", remove(newProject(), "project", "/v2/api/projects/"), nil},
		{"get_policies", "default", p.do("GET", "/v2/api/policies", alice, nil), nil},
		{"create_policy", "default", newPolicy(), []string{fullSet}},
		{"delete_policy", "default", remove(newPolicy(), "policy", "/v2/api/policies/"), nil},
		{"get_clients", "default", p.do("GET", "/v2/api/clients", alice, nil), nil},
		{"get_client", "default", p.do("GET", clientPath, alice, nil), nil},
		{"get_client", "fqdn", p.do("GET", "/v2/api/clients?fqdn="+p.ready.FQDN, alice, nil), nil},
		{"create_client", "default", newClient(), []string{noID, noVisibility}},
		{"create_client", "client_type_confidential_client", p.do("POST", "/v2/api/clients", alice, object{"client": object{"name": "x", "project": p.ready.ProjectID, "client_type": "confidential_client"}}), []string{noPublic, noID, noVisibility}},
		{"create_child_client", "default", p.do("POST", "/v2/api/clients", p.confidential(), object{"client": object{"name": "x", "public_client": true}}), []string{noChild, noID}},
		{"delete_client", "default", remove(newClient(), "client", "/v2/api/clients/"), nil},
		{"developer_extra", "live_envelope", p.do("POST", "/v2/api/clients", "", object{"client": object{"template_id": p.ready.TemplateID, "name": "x"}}), nil},
		{"create_client_credential", "default", newCredential(), nil},
		{"get_client_credentials", "default", p.do("GET", clientPath+"/credentials", alice, nil), nil},
		{"delete_client_credential", "default", remove(newCredential(), "credential", clientPath+"/credentials/"), nil},
		{"get_scopes", "default", p.do("GET", "/v2/api/scopes", alice, nil), nil},
		{"create_scope", "default", newScope("one"), []string{noFQDN}},
		{"delete_scope", "default", remove(newScope("two"), "scope", "/v2/api/scopes/"), nil},
	} {
		t.Run(test.file+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			status, want := recorded(t, test.file, test.name)
			if test.got.status != status {
				t.Errorf("status %d, recorded is %d: %s", test.got.status, status, test.got.body)
			}
			var got any
			if err := json.Unmarshal(test.got.body, &got); err != nil {
				t.Fatal(err)
			}
			found := differences(want, got)
			for _, each := range found {
				if !slices.ContainsFunc(test.allowed, func(a string) bool { return strings.HasPrefix(each, a) }) {
					t.Errorf("differs from the recorded response: %s", each)
				}
			}
			for _, allowed := range test.allowed {
				if allowed != kidStyle && !slices.ContainsFunc(found, func(each string) bool { return strings.HasPrefix(each, allowed) }) {
					t.Errorf("the difference %q is allowed and not there", allowed)
				}
			}
		})
	}
}
