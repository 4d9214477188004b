//go:build interop

package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/globusauth/globusauth/authtest"
)

// Values that the service would refuse are errors at their attributes, and no request is sent.
func TestValidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := `resource "globusauth_client" "c" {
		project = "` + w.server.Ready().ProjectID + `"
		%s
	}`
	scope := `resource "globusauth_scope" "s" {
		client = "` + w.server.Ready().ConfidentialClientID + `"
		%s
	}`
	policy := `resource "globusauth_policy" "p" {
		project_id   = "` + w.server.Ready().ProjectID + `"
		display_name = "P"
		description  = "P"
		%s
	}`
	project := `resource "globusauth_project" "p" { 
		%s
	}`
	for _, test := range []struct{ resource, fields, attribute, want string }{
		{project, `display_name = ""` + "\n" + `contact_email = "a@example.edu"` + "\n" + `admin_ids = ["` + alice + `"]`, "display_name", "must not be empty"},
		{project, `display_name = "P"` + "\n" + `contact_email = "invalid"` + "\n" + `admin_ids = ["` + alice + `"]`, "contact_email", "is not an email address"},
		{project, `display_name = "P"` + "\n" + `contact_email = "a@example.edu"`, "admin_ids", "At least one of admin_ids and admin_group_ids"},
		{project, `display_name = "P"` + "\n" + `contact_email = "a@example.edu"` + "\n" + `admin_ids = ["alice"]`, "admin_ids", "is not a UUID"},
		{project, `display_name = "P"` + "\n" + `contact_email = "a@example.edu"` + "\n" + `admin_ids = ["` + strings.ToUpper(alice) + `"]`, "admin_ids", "in lower case"},
		{client, `name = "C"`, "client_type", "Exactly one of client_type and public_client"},
		{client, `name = "C"` + "\n" + `client_type = "confidential"`, "client_type", "is not one of"},
		{client, `name = "C\nD"` + "\n" + `client_type = "resource_server"`, "name", "line break"},
		{client, `name = "C"` + "\n" + `public_client = true` + "\n" + `visibility = "hidden"`, "visibility", "is not one of"},
		{client, `name = "C"` + "\n" + `public_client = true` + "\n" + `redirect_uris = ["http://example.edu/"]`, "redirect_uris", "must use https"},
		{client, `name = "C"` + "\n" + `public_client = true` + "\n" + `redirect_uris = ["https://example.edu/#x"]`, "redirect_uris", "fragment"},
		{client, `name = "C"` + "\n" + `public_client = true` + "\n" + `required_idp = "x"`, "required_idp", "is not a UUID"},
		{client, `name = "C"` + "\n" + `public_client = true` + "\n" + `links = { terms_and_conditions = "https://example.edu" }`, "links", `"privacy_policy" is`},
		{client, `name = "C"` + "\n" + `public_client = true` + "\n" + `links = { terms_and_conditions = "x", privacy_policy = "https://example.edu" }`, "links", "is not the URL"},
		{scope, `name = "S"` + "\n" + `description = "S"` + "\n" + `scope_suffix = "Read-All"`, "scope_suffix", "does not match"},
		{scope, `name = "S"` + "\n" + `description = "S"` + "\n" + `scope_suffix = "read"` + "\n" + `required_domains = ["not a domain"]`, "required_domains", "is not a domain"},
		{scope, `name = "S"` + "\n" + `description = "S"` + "\n" + `scope_suffix = "read"` + "\n" + `dependent_scopes = [{ scope = "openid", optional = true, requires_refresh_token = false }]`, "dependent_scopes", "is not a UUID"},
		{policy, `required_mfa = true`, "required_mfa", "only with high_assurance"},
		{policy, `authentication_assurance_timeout = 0`, "authentication_assurance_timeout", "positive number"},
		{policy, `domain_constraints_include = ["@example"]`, "domain_constraints_include", "is not a domain"},
	} {
		t.Run(test.attribute+"/"+test.want, func(t *testing.T) {
			t.Parallel()
			inner := *w
			inner.T = t
			want := strings.ReplaceAll(regexp.QuoteMeta(test.want), " ", `\s+`)
			inner.run(resource.TestStep{Config: fmt.Sprintf(test.resource, test.fields), PlanOnly: true, ExpectError: regexp.MustCompile(want)})
		})
	}
	t.Cleanup(func() {
		if got := w.server.Requests(); len(got) != 0 {
			t.Errorf("%d requests were sent", len(got))
		}
	})
}

// An error of the service is shown at the attribute that it is about.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	const body = `{"errors":[{"status":"400","id":"r1","code":"INVALID_PARAMETERS","title":"Bad Request","detail":"%s"},{"status":"400","id":"r1","code":"INVALID_PARAMETERS","title":"Bad Request","detail":"%s"}]}`
	config := projectWith("display_name = \"Lab\"\ncontact_email = \"lab@example.edu\"\nadmin_ids = [\"" + alice + "\"]")
	for _, test := range []struct {
		name  string
		fault authtest.Fault
		want  string
	}{
		{"names the attribute", authtest.Fault{Kind: authtest.FaultStatus, Status: 400, Body: fmt.Sprintf(body, "display_name is taken", "display_name is taken")}, `(?s)display_name\s+= "Lab".*display_name is taken`},
		{"has the value", authtest.Fault{Kind: authtest.FaultStatus, Status: 400, Body: fmt.Sprintf(body, "bad", "'lab@example.edu' cannot be reached")}, `(?s)contact_email\s+= "lab@example.edu".*cannot be reached`},
		{"one for each", authtest.Fault{Kind: authtest.FaultStatus, Status: 400, Body: fmt.Sprintf(body, "display_name is taken", "contact_email is unknown")}, `(?s)display_name\s+= "Lab".*contact_email\s+= "lab@example.edu"|contact_email\s+= "lab@example.edu".*display_name\s+= "Lab"`},
		{"lost", authtest.Fault{Kind: authtest.FaultDropAfter}, `(?s)look for it before\s+the\s+next\s+apply`},
		{"login", authtest.Fault{Kind: authtest.FaultStatus, Status: 403, Body: `{"errors":[{"code":"FORBIDDEN","detail":"To access this project"}],"authorization_parameters":{"session_message":"again","session_required_policies":["x"]}}`}, `globus-auth session update\s+--prompt login`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.fault.Operation = "createProject"
			w.server.Inject(test.fault)
			w.run(resource.TestStep{Config: config, ExpectError: regexp.MustCompile(test.want)})
		})
	}
}

// A page of a proxy with status 404 does not mean that the object is gone.
func TestRead_ProxyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(
		resource.TestStep{Config: lab},
		resource.TestStep{PreConfig: func() {
			w.server.Inject(authtest.Fault{Operation: "getProject", Kind: authtest.FaultStatus, Status: 404, Body: "<html>no</html>"})
		}, Config: lab, ExpectError: regexp.MustCompile("Cannot read the project")},
		resource.TestStep{PreConfig: func() { w.server.ClearFaults() }, Config: lab, ConfigPlanChecks: empty()},
	)
}

// The time limit of an operation.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Inject(authtest.Fault{Operation: "createProject", Kind: authtest.FaultDropBefore})
	w.run(resource.TestStep{
		Config:      projectWith("display_name = \"Lab\"\ncontact_email = \"lab@example.edu\"\nadmin_ids = [\"" + alice + "\"]\ntimeouts = { create = \"1ns\" }"),
		ExpectError: regexp.MustCompile(`The attribute timeouts sets the limit`),
	})
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	secretFile := filepath.Join(t.TempDir(), "secret")
	for _, test := range []struct {
		name, settings string
		environment    func(w *world) map[string]string
		want           string // an error; empty for none
	}{
		{name: "token of the environment", environment: func(w *world) map[string]string {
			return map[string]string{"GLOBUS_AUTH_ACCESS_TOKEN": w.token}
		}},
		{name: "secret of the environment", environment: func(w *world) map[string]string {
			return map[string]string{"GLOBUS_AUTH_CLIENT_ID": w.server.Ready().ConfidentialClientID, "GLOBUS_AUTH_CLIENT_SECRET": w.server.Ready().ConfidentialClientSecret}
		}, want: "not an administrator"},
		{name: "secret in a file", environment: func(w *world) map[string]string {
			if err := os.WriteFile(secretFile, []byte(w.server.Ready().ConfidentialClientSecret+"\n"), 0o600); err != nil {
				t.Error(err)
			}
			return map[string]string{"GLOBUS_AUTH_CLIENT_ID": w.server.Ready().ConfidentialClientID, "GLOBUS_AUTH_CLIENT_SECRET_FILE": secretFile}
		}, want: "not an administrator"},
		{name: "secret in a file for all", environment: func(w *world) map[string]string {
			open := secretFile + "2"
			if err := os.WriteFile(open, []byte("x"), 0o644); err != nil {
				t.Error(err)
			}
			return map[string]string{"GLOBUS_AUTH_CLIENT_ID": w.server.Ready().ConfidentialClientID, "GLOBUS_AUTH_CLIENT_SECRET_FILE": open}
		}, want: `others can read`},
		{name: "nothing", environment: func(*world) map[string]string {
			return map[string]string{"GLOBUS_AUTH_STORE_DIR": t.TempDir()}
		}, want: `globus-auth login --client-id`},
		{name: "token and secret", settings: "access_token = \"x\"\nclient_id = \"y\"\nclient_secret = \"z\"", want: "exclude each other"},
		{name: "secret without client", settings: "client_secret = \"z\"", want: "set client_id"},
		{name: "wrong store", settings: "store = \"cloud\"", want: `use file, sqlite or keyring`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings = test.settings
			if test.environment != nil {
				w.environment = test.environment(w)
			}
			step := resource.TestStep{Config: fmt.Sprintf("resource \"globusauth_client\" \"c\" {\n  project = %q\n  name = \"C\"\n  client_type = \"resource_server\"\n}", w.server.Ready().ProjectID)}
			if test.want != "" {
				step.ExpectError = regexp.MustCompile(strings.ReplaceAll(test.want, " ", `\s+`))
			}
			w.run(step)
		})
	}
}

// A service account that administers its project.
func TestConfigure_Client(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ready := w.server.Ready()
	w.settings = fmt.Sprintf("client_id = %q\nclient_secret = %q", ready.ConfidentialClientID, ready.ConfidentialClientSecret)
	w.run(resource.TestStep{Config: projectWith("display_name = \"Robot's\"\ncontact_email = \"lab@example.edu\"\nadmin_ids = [\"" + ready.ConfidentialClientID + "\"]")})
}
