//go:build interop

package provider_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/terraform/internal/spec"
)

// whole has a resource of each kind.
func (w *world) whole() string {
	return w.config(clientWith(`
			name          = "Portal"
			client_type   = "hybrid_confidential_client_resource_server"
			visibility    = "private"
			redirect_uris = ["https://portal.example.edu/callback"]
		`) + `
		resource "globusauth_client_credential" "first" {
			client = globusauth_client.portal.id
			name   = "first"
		}
		resource "globusauth_client_fqdn" "api" {
			client = globusauth_client.portal.id
			fqdn   = "api.example.edu"
		}
		resource "globusauth_client_instance" "tool" {
			template_id = "` + w.server.Ready().TemplateID + `"
			name        = "Tool"
		}
		` + scopeWith("read", `
			name                 = "Read"
			description          = "Read data"
			scope_suffix         = "read"
			advertised           = false
			allows_refresh_token = true
			required_domains     = []
			dependent_scopes     = []
			depends_on           = [globusauth_client_fqdn.api]
		`) + `
		resource "globusauth_policy" "fresh" {
			project_id     = globusauth_project.lab.id
			display_name   = "Fresh"
			description    = "Fresh logins"
			high_assurance = false
			required_mfa   = false
		}`)
}

// change is what a plan does with a resource.
type change struct {
	Address string
	Change  struct {
		Actions       []string
		Before, After map[string]any
	}
}

// plan returns the changes of a new plan by address.
func (s *session) plan() map[string]change {
	s.Helper()
	s.succeed("plan", "-out=plan")
	var plan struct {
		Changes []change `json:"resource_changes"`
	}
	out := s.succeed("show", "-json", "plan")
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	changes := map[string]change{}
	for _, each := range plan.Changes {
		changes[each.Address] = each
	}
	return changes
}

// send changes or deletes an object at the service, as the administrator or as a client.
func (s *session) send(method, path string, body any, client ...string) {
	s.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.Context(), method, strings.TrimSuffix(s.server.BaseURL(), "/")+path, bytes.NewReader(text))
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	if len(client) > 0 {
		request.SetBasicAuth(client[0], client[1])
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.Fatalf("%s %s: %s", method, path, response.Status)
	}
}

// Each attribute that can be updated is changed outside of the configuration: the plan shows it, and an apply restores
// it. Then all objects are deleted.
func TestDrift(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	s.write("main.tf", s.whole())
	s.succeed("init")
	s.succeed("apply", "-auto-approve")
	ids := map[string]string{}
	var instance []string
	for address, each := range s.plan() {
		ids[address], _ = each.Change.Before["id"].(string)
		if secret, ok := each.Change.Before["secret"].(string); ok && address == "globusauth_client_instance.tool" {
			instance = []string{ids[address], secret}
		}
	}
	transfer, err := s.auth.GetScopes(t.Context(), &gen.GetScopesParams{ScopeStrings: []string{s.server.Ready().ResourceScope.Scope}})
	if err != nil {
		t.Fatal(err)
	}
	for _, drift := range []struct {
		address, path, envelope, schema string
		without                         []string // what the resource does not have, or another object would be needed for
		fields                          map[string]any
		client                          []string
	}{
		{"globusauth_project.lab", "/v2/api/projects/", "project", "ProjectUpdate", nil, map[string]any{
			"display_name": "Drifted", "contact_email": "drifted@example.edu", "admin_ids": []any{alice, bob}, "admin_group_ids": []any{group},
		}, nil},
		{"globusauth_client.portal", "/v2/api/clients/", "client", "ClientUpdate", []string{"scopes"}, map[string]any{
			"name": "Drifted", "visibility": "public", "redirect_uris": []any{"https://drifted.example.edu/"}, "required_idp": idp, "preselect_idp": idp,
			"links": map[string]any{"terms_and_conditions": "https://drifted.example.edu/t", "privacy_policy": "https://drifted.example.edu/p"},
		}, nil},
		{"globusauth_client_instance.tool", "/v2/api/clients/", "client", "", nil, map[string]any{"name": "Drifted"}, instance},
		{"globusauth_scope.read", "/v2/api/scopes/", "scope", "ScopeUpdate", nil, map[string]any{
			"name": "Drifted", "description": "Drifted", "scope_suffix": "drifted", "advertised": true, "allows_refresh_token": false, "required_domains": []any{"example.edu"},
			"dependent_scopes": []any{map[string]any{"scope": transfer.Scopes[0].ID, "optional": true, "requires_refresh_token": false}},
		}, nil},
		{"globusauth_policy.fresh", "/v2/api/policies/", "policy", "PolicyUpdate", []string{"project_id"}, map[string]any{
			"display_name": "Drifted", "description": "Drifted", "high_assurance": true, "required_mfa": true, "authentication_assurance_timeout": 60.0,
			"domain_constraints_include": []any{"example.edu"}, "domain_constraints_exclude": []any{},
		}, nil},
	} {
		for _, f := range spec.Schemas[drift.schema].Fields {
			if _, ok := drift.fields[f.Name]; !ok && !slices.Contains(drift.without, f.Name) {
				t.Errorf("%s: the test lacks %s", drift.address, f.Name)
			}
		}
		s.send(http.MethodPut, drift.path+ids[drift.address], map[string]any{drift.envelope: drift.fields}, drift.client...)
		planned := s.plan()[drift.address].Change
		if !slices.Equal(planned.Actions, []string{"update"}) {
			t.Errorf("%s: the plan is %v", drift.address, planned.Actions)
		}
		for name, value := range drift.fields {
			if !reflect.DeepEqual(planned.Before[name], value) || reflect.DeepEqual(planned.After[name], value) {
				t.Errorf("%s.%s: %v -> %v, want the drift from %v", drift.address, name, planned.Before[name], planned.After[name], value)
			}
		}
		s.succeed("apply", "-auto-approve", "plan")
		for address, each := range s.plan() {
			if !slices.Equal(each.Change.Actions, []string{"no-op"}) {
				t.Errorf("%s after the apply: %v", address, each.Change)
			}
		}
	}

	s.send(http.MethodDelete, "/v2/api/policies/"+ids["globusauth_policy.fresh"], nil)
	s.send(http.MethodDelete, "/v2/api/scopes/"+ids["globusauth_scope.read"], nil)
	s.send(http.MethodDelete, "/v2/api/clients/"+ids["globusauth_client.portal"], nil)
	s.send(http.MethodDelete, "/v2/api/clients/"+instance[0], nil, instance...)
	s.send(http.MethodDelete, "/v2/api/projects/"+ids["globusauth_project.lab"], nil)
	for address, each := range s.plan() {
		if !slices.Equal(each.Change.Actions, []string{"create"}) {
			t.Errorf("%s is gone: the plan is %v", address, each.Change.Actions)
		}
	}
	// Without a refresh, only the deletion itself finds out that an object is gone.
	s.want(s.succeed("destroy", "-auto-approve", "-refresh=false"), `Destroy complete! Resources: 7 destroyed\.`)
}

// Each creation and each deletion fails once. The next runs go on where the last one ended.
func TestApply_FailsHalfWay(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	s.write("main.tf", s.whole())
	s.succeed("init")
	before := s.server.Snapshot()
	try := func(operations []string, args ...string) {
		t.Helper()
		for _, operation := range operations {
			s.server.Inject(authtest.Fault{ID: operation, Operation: operation, Kind: authtest.FaultStatus, Status: 400, Times: 1})
		}
		for range operations {
			if _, status := s.tofu(args...); status == 0 {
				break
			}
		}
		for _, fault := range s.server.Snapshot().Faults {
			if fault.Fired != 1 {
				t.Errorf("%s failed %d times", fault.ID, fault.Fired)
			}
		}
		s.server.ClearFaults()
		s.succeed(args...)
	}
	try([]string{"createProject", "createClient", "createClientCredential", "addClientFQDN", "createScope", "createPolicy"}, "apply", "-auto-approve")
	created := map[string]int{}
	for _, r := range s.server.Requests() {
		if r.Method == http.MethodPost && r.Status == http.StatusOK {
			created[r.Operation]++
		}
	}
	want := map[string]int{"createProject": 1, "createClient": 2, "createClientCredential": 1, "addClientFQDN": 1, "createScope": 1, "createPolicy": 1}
	if !maps.Equal(created, want) {
		t.Errorf("got the creations %v, want %v", created, want)
	}
	s.want(s.succeed("plan", "-detailed-exitcode"), "No changes")
	try([]string{"deletePolicy", "deleteScope", "deleteClientCredential", "deleteClient", "deleteProject"}, "destroy", "-auto-approve")
	if after := s.server.Snapshot(); len(after.Clients) != len(before.Clients) || len(after.Projects) != len(before.Projects) {
		t.Error("objects are left over")
	}
}

// A refusal of the service is shown at the attribute that it is about.
func TestDiagnose_Attribute(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	const unknown = "00000000-0000-4000-8000-000000000000"
	other := s.server.AddClient(authtest.Client{Name: "Other", Type: "public_installed_client", Project: s.server.Ready().ProjectID})
	scope := func(name, fields string) string {
		return "resource \"globusauth_scope\" \"" + name + "\" {\nname = \"S\"\ndescription = \"S\"\n" + fields + "\n}\n"
	}
	api := s.server.Ready().ConfidentialClientID
	s.write("main.tf", s.config(`
		resource "globusauth_project" "admin" {
			display_name  = "P"
			contact_email = "a@example.edu"
			admin_ids     = ["`+unknown+`"]
		}
		resource "globusauth_client" "project" {
			project     = "`+unknown+`"
			name        = "C"
			client_type = "resource_server"
		}
		resource "globusauth_client" "idp" {
			project      = "`+s.server.Ready().ProjectID+`"
			name         = "C"
			client_type  = "resource_server"
			required_idp = "`+unknown+`"
		}
		resource "globusauth_client_instance" "template" {
			template_id = "`+api+`"
			name        = "I"
		}
		resource "globusauth_client_credential" "public" {
			client = "`+other.ID+`"
			name   = "K"
		}
		resource "globusauth_client_credential" "unknown" {
			client = "`+unknown+`"
			name   = "K"
		}
		resource "globusauth_client_fqdn" "taken" {
			client = "`+other.ID+`"
			fqdn   = "`+s.server.Ready().FQDN+`"
		}
		resource "globusauth_policy" "project" {
			project_id   = "`+unknown+`"
			display_name = "P"
			description  = "P"
		}
		`+scope("taken", `client = "`+api+`"`+"\n"+`scope_suffix = "jobs"`)+
		scope("dependent", `client = "`+api+`"`+"\n"+`scope_suffix = "new"`+"\n"+`dependent_scopes = [{ scope = "`+unknown+`", optional = false, requires_refresh_token = false }]`)))
	s.succeed("init")
	out, status := s.tofu("apply", "-auto-approve", "-no-color")
	if status != 1 {
		t.Errorf("status %d", status)
	}
	for address, line := range map[string]string{
		"globusauth_project.admin": "admin_ids", "globusauth_client.project": "project", "globusauth_client.idp": "required_idp", "globusauth_client_instance.template": "template_id",
		"globusauth_client_credential.public": "client", "globusauth_client_credential.unknown": "client", "globusauth_client_fqdn.taken": "fqdn",
		"globusauth_policy.project": "project_id", "globusauth_scope.taken": "scope_suffix", "globusauth_scope.dependent": "dependent_scopes",
	} {
		s.want(out, `(?m)with `+regexp.QuoteMeta(address)+`,\n.*\n\s+\d+:\s+`+line+`\s+=`)
	}
}
