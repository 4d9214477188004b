package contract_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
)

// pythonOutcome is the expected response to a recorded request.
type pythonOutcome struct {
	// like names a recorded response, "file/case". The response must have exactly its
	// fields, of the same types.
	like string
	// envelope names the object that must contain the values that were sent.
	envelope string
	check    func(p *pythonPeer, r pythonResult)
	refused  string // code of an errors document, with status
	status   int
	oauth    string // error of RFC 6749
}

var pythonOutcomes = map[string]pythonOutcome{
	"AuthClient.get_openid_configuration":                   {like: "openid_configuration/default", check: pythonDiscovery},
	"AuthClient.get_openid_configuration (with authorizer)": {check: pythonDiscovery},
	"AuthClient.get_jwk(openid_configuration=...)":          {check: pythonKey},
	"AuthClient.userinfo":                                   {check: pythonUserinfo},

	"AuthClient.get_identities(usernames=str)":                  {check: pythonUsernames("a@b.c")},
	"AuthClient.get_identities(usernames=list, provision=True)": {check: pythonUsernames("a@b.c", "d+x@e.f")},
	"AuthClient.get_identities(ids=list)":                       {like: "get_identities/globusid", check: pythonUsernames(pythonUser, "a@b.c")},
	"AuthClient.get_identities(ids=, provision=True)":           {check: pythonUsernames(pythonUser)},
	"AuthClient.get_identities(ids=, query_params include)":     {check: pythonIncluded},
	"AuthClient.get_identities()":                               {status: http.StatusBadRequest, refused: "INVALID_PARAMETERS"},
	"AuthClient.get_identities(usernames, ids)":                 {status: http.StatusBadRequest, refused: "INVALID_PARAMETERS"},
	"AuthClient.get_identity_providers(domains=)":               {like: "get_identity_providers/default", check: pythonCount("identity_providers", 2)},
	"AuthClient.get_identity_providers(ids=)":                   {check: pythonCount("identity_providers", 2)},
	"AuthClient.get_identity_providers()":                       {status: http.StatusBadRequest, refused: "INVALID_PARAMETERS"},
	"AuthClient.get_consents()":                                 {like: "get_consents/default", check: pythonConsentList},
	"AuthClient.get_consents(all=True)":                         {check: pythonConsentList},

	"AuthClient.get_project":                                    {like: "get_project/default"},
	"AuthClient.get_projects":                                   {check: pythonCount("projects", 2)},
	"AuthClient.create_project(admin_ids)":                      {like: "create_project/default", envelope: "project"},
	"AuthClient.create_project(admin_ids=str, admin_group_ids)": {envelope: "project"},
	"AuthClient.create_project(no admins)":                      {status: http.StatusBadRequest, refused: "INVALID_PARAMETERS"},
	"AuthClient.update_project(display_name only)":              {envelope: "project"},
	"AuthClient.update_project(all)":                            {like: "update_project/default", envelope: "project"},
	"AuthClient.update_project(nothing)":                        {envelope: "project"},
	"AuthClient.delete_project":                                 {like: "delete_project/default", check: pythonGone("/v2/api/projects/" + id1)},

	"AuthClient.get_policy":                 {like: "get_policy/default"},
	"AuthClient.get_policies":               {like: "get_policies/default", check: pythonCount("policies", 2)},
	"AuthClient.create_policy(minimal)":     {envelope: "policy"},
	"AuthClient.create_policy(full)":        {envelope: "policy"},
	"AuthClient.create_policy(empty lists)": {envelope: "policy"},
	"AuthClient.update_policy(nothing)":     {envelope: "policy"},
	"AuthClient.update_policy(full)":        {envelope: "policy"},
	"AuthClient.delete_policy":              {like: "delete_policy/default", check: pythonGone("/v2/api/policies/" + id1)},

	"AuthClient.get_client(client_id)":                    {like: "get_client/default"},
	"AuthClient.get_client(fqdn)":                         {like: "get_client/fqdn"},
	"AuthClient.get_clients":                              {like: "get_clients/default", check: pythonCount("clients", 3)},
	"AuthClient.create_client(public_client)":             {envelope: "client"},
	"AuthClient.create_client(full)":                      {envelope: "client"},
	"AuthClient.create_client(null idps)":                 {envelope: "client"},
	"AuthClient.update_client(name)":                      {envelope: "client"},
	"AuthClient.update_client(nothing)":                   {envelope: "client"},
	"AuthClient.update_client(full)":                      {envelope: "client"},
	"AuthClient.update_client(clear idps and links)":      {envelope: "client"},
	"AuthClient.delete_client":                            {like: "delete_client/default", check: pythonGone("/v2/api/clients/" + id1)},
	"AuthClient.get_client_credentials":                   {like: "get_client_credentials/default", check: pythonCount("credentials", 1)},
	"AuthClient.create_client_credential":                 {like: "create_client_credential/default", envelope: "credential"},
	"AuthClient.delete_client_credential":                 {like: "delete_client_credential/default"},
	"NativeAppAuthClient.create_native_app_instance":      {check: pythonInstance},
	"ConfidentialAppAuthClient.create_child_client(full)": {envelope: "client", check: pythonChild},
	"ConfidentialAppAuthClient.create_child_client(public)": {
		envelope: "client", check: pythonChild,
	},

	"AuthClient.get_scope":                      {like: "get_scope/default"},
	"AuthClient.get_scopes()":                   {like: "get_scopes/default", check: pythonCount("scopes", 6)},
	"AuthClient.get_scopes(scope_strings=list)": {check: pythonCount("scopes", 1)},
	"AuthClient.get_scopes(ids=list)":           {check: pythonCount("scopes", 2)},
	"AuthClient.create_scope(minimal)":          {envelope: "scope"},
	"AuthClient.create_scope(full)":             {envelope: "scope"},
	"AuthClient.update_scope(nothing)":          {envelope: "scope"},
	"AuthClient.update_scope(full)":             {envelope: "scope"},
	"AuthClient.delete_scope":                   {like: "delete_scope/default", check: pythonGone("/v2/api/scopes/" + id1)},

	"AuthLoginClient.oauth2_token(form dict)": {status: http.StatusUnauthorized, refused: "UNAUTHORIZED"},
	"AuthLoginClient.oauth2_refresh_token":    {status: http.StatusUnauthorized, refused: "UNAUTHORIZED"},
	"AuthLoginClient.oauth2_revoke_token":     {like: "oauth2_revoke_token/default", check: pythonRevoked},

	"NativeAppAuthClient.oauth2_refresh_token":                         {check: pythonRefreshed},
	"NativeAppAuthClient.oauth2_revoke_token":                          {check: pythonRevoked},
	"NativeAppAuthClient.oauth2_exchange_code_for_tokens":              {check: pythonExchanged},
	"ConfidentialAppAuthClient.oauth2_exchange_code_for_tokens":        {check: pythonExchanged},
	"ConfidentialAppAuthClient.oauth2_refresh_token":                   {check: pythonRefreshed},
	"ConfidentialAppAuthClient.oauth2_revoke_token":                    {check: pythonRevoked},
	"ConfidentialAppAuthClient.oauth2_client_credentials_tokens(list)": {like: "oauth2_client_credentials_tokens/openid", check: pythonClientTokens},
	"ConfidentialAppAuthClient.oauth2_get_dependent_tokens()":          {check: pythonDependent(false)},
	"ConfidentialAppAuthClient.oauth2_get_dependent_tokens(refresh, scope)": {
		check: pythonDependent(true),
	},
	"ConfidentialAppAuthClient.oauth2_token_introspect()":             {check: pythonIntrospected()},
	"ConfidentialAppAuthClient.oauth2_token_introspect(include=str)":  {check: pythonIntrospected("identity_set", "session_info")},
	"ConfidentialAppAuthClient.oauth2_token_introspect(include=list)": {check: pythonIntrospected("identity_set", "session_info")},
	"ConfidentialAppAuthClient.oauth2_token_introspect(query_params)": {check: pythonIntrospected()},
}

// TestAuthtest_PythonRequests sends every recorded request of the Python SDK
// unchanged except for the tokens.
func TestAuthtest_PythonRequests(t *testing.T) {
	t.Parallel()
	var file struct {
		Records []pythonRequest `json:"records"`
	}
	readFixture(t, "sdk_recorded_requests.json", &file)
	sent := map[string]bool{}
	for _, record := range file.Records {
		if record.Raised != "" {
			continue // the SDK sends nothing
		}
		sent[record.Label] = true
		t.Run(record.Label, func(t *testing.T) {
			t.Parallel()
			outcome, ok := pythonOutcomes[record.Label]
			if !ok {
				t.Fatal("no expected response for this record")
			}
			p := newPythonPeer(t, record.Label)
			outcome.judge(p, record, p.send(p.filledIn(record)))
		})
	}
	for label := range pythonOutcomes {
		if !sent[label] {
			t.Errorf("no record %q", label)
		}
	}
}

// filledIn replaces the tokens of a record by issued ones.
func (p *pythonPeer) filledIn(r pythonRequest) pythonRequest {
	p.t.Helper()
	headers := map[string]string{}
	for name, value := range r.Headers {
		if strings.HasSuffix(value, userToken) {
			value = "Bearer " + p.token()
		}
		headers[name] = value
	}
	r.Headers = headers
	if r.RawForm == "" {
		return r
	}
	scope := "openid"
	if strings.HasPrefix(r.Label, "Confidential") {
		scope = pythonScope
	}
	issued := p.server.Issue(authtest.Grant{User: pythonUser, Client: clientID, Scopes: []string{scope}, Refresh: true})[0]
	replace := []string{"refresh_token=rt", "refresh_token=" + issued.RefreshToken, "token=tok", "token=" + issued.AccessToken}
	if strings.Contains(r.RawForm, "code=CODE") {
		label := "native minimal"
		if strings.HasPrefix(r.Label, "Confidential") {
			label = "confidential"
		}
		replace = append(replace, "code=CODE", "code="+url.QueryEscape(p.code(label)))
	}
	r.RawForm = strings.NewReplacer(replace...).Replace(r.RawForm)
	return r
}

func (o pythonOutcome) judge(p *pythonPeer, sent pythonRequest, r pythonResult) {
	p.t.Helper()
	switch {
	case o.refused != "":
		r.refusedWith(o.status, o.refused)
		return
	case o.oauth != "":
		r.oauthError(o.status, o.oauth)
		return
	case o.like == "" && o.envelope == "" && o.check == nil:
		p.t.Fatal("the expected response is empty")
	}
	if o.like != "" {
		sameFields(p.t, "", pythonRecorded(p.t, o.like), r.json)
	}
	if o.envelope != "" {
		echoed(p.t, o.envelope, sent.JSON, r.ok())
	}
	if o.check != nil {
		o.check(p, r)
	}
}

// echoed checks that the response has every field that was sent, with its value.
func echoed(t *testing.T, envelope string, sent json.RawMessage, response map[string]any) {
	t.Helper()
	var request map[string]map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(sent)))
	decoder.UseNumber()
	if err := decoder.Decode(&request); err != nil {
		t.Fatal(err)
	}
	got, ok := response[envelope].(map[string]any)
	if !ok || got["id"] == "" {
		t.Fatalf("no %s in %v", envelope, response)
	}
	for name, want := range request[envelope] {
		if name == "scope_suffix" {
			if text, _ := got["scope_string"].(string); !strings.HasSuffix(text, "/"+want.(string)) {
				t.Errorf("scope_string is %v, want the suffix %v", got["scope_string"], want)
			}
			continue
		}
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-sent +got):\n%s", name, diff)
		}
	}
}

// pythonRecorded reads a recorded response, "file/case".
func pythonRecorded(t *testing.T, name string) any {
	t.Helper()
	file, label, _ := strings.Cut(name, "/")
	var text json.RawMessage
	readFixture(t, file+".json", &text)
	if text[0] == '{' {
		text = slices.Concat(json.RawMessage("["), text, json.RawMessage("]"))
	}
	var entries []responseEntry
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(entries, func(e responseEntry) bool { return e.Case == label })
	if at < 0 {
		t.Fatalf("%s.json has no case %s", file, label)
	}
	var value any
	if err := json.Unmarshal(entries[at].Response.JSON, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

var uuidName = regexp.MustCompile(`^[0-9a-f-]{36}$`)

// sameFields compares names and types, not values. Null matches anything,
// and only the first elements of lists are compared.
func sameFields(t *testing.T, at string, recorded, got any) {
	t.Helper()
	switch recorded := recorded.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			if got != nil {
				t.Errorf("%s is %v, recorded is an object", at, got)
			}
			return
		}
		for name, value := range recorded {
			if field, ok := object[name]; ok {
				sameFields(t, at+"/"+name, value, field)
			} else if !uuidName.MatchString(name) {
				t.Errorf("%s/%s is missing", at, name)
			}
		}
		for name := range object {
			if _, ok := recorded[name]; !ok && !uuidName.MatchString(name) {
				t.Errorf("%s/%s was not recorded", at, name)
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok && got != nil {
			t.Errorf("%s is %v, recorded is a list", at, got)
		}
		if len(recorded) > 0 && len(list) > 0 {
			sameFields(t, at+"/0", recorded[0], list[0])
		}
	case string:
		if _, ok := got.(string); !ok && got != nil {
			t.Errorf("%s is %v, recorded is a string", at, got)
		}
	case bool:
		if _, ok := got.(bool); !ok && got != nil {
			t.Errorf("%s is %v, recorded is a boolean", at, got)
		}
	case float64:
		if _, ok := got.(json.Number); !ok && got != nil {
			t.Errorf("%s is %v, recorded is a number", at, got)
		}
	}
}
