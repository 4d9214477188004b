//go:build interop

package provider_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

const lab = `resource "globusauth_project" "lab" {
	display_name  = "Lab"
	contact_email = "lab@example.edu"
	admin_ids     = ["` + alice + `"]

	admin_group_ids = []
}
`

func clientWith(fields string) string {
	return lab + "resource \"globusauth_client\" \"portal\" {\nproject = globusauth_project.lab.id\n" + fields + "\n}\n"
}

func TestClient(t *testing.T) {
	t.Parallel()
	const address = "globusauth_client.portal"
	w := newWorld(t)
	var made string
	base := clientWith(`name = "Portal"
		client_type = "confidential_client"`)
	// Each attribute that can be updated, and the values that it then has at the service.
	full := clientWith(`name = "Portal 2"
		client_type = "confidential_client"
		visibility = "public"
		redirect_uris = ["https://portal.example.edu/callback", "http://localhost:8000/callback"]
		required_idp = "` + idp + `"
		preselect_idp = "` + idp + `"
		links = {
			terms_and_conditions = "https://portal.example.edu/terms"
			privacy_policy = "https://portal.example.edu/privacy"
		}`)
	read := func(check func(c gen.ClientRecord) bool) resource.TestCheckFunc {
		return func(*terraform.State) error {
			got, err := w.auth.GetClient(w.Context(), made)
			if err == nil && !check(got.Client) {
				t.Errorf("got %+v", got.Client)
			}
			return err
		}
	}
	test := w.testCase(
		resource.TestStep{Config: base, Check: resource.ComposeTestCheckFunc(
			keep(&made, address),
			resource.TestCheckResourceAttr(address, "public_client", "false"),
			resource.TestCheckResourceAttr(address, "visibility", "private"),
			resource.TestCheckNoResourceAttr(address, "required_idp"),
			resource.TestCheckNoResourceAttr(address, "links"),
		)},
		resource.TestStep{Config: full, ConfigPlanChecks: updated(address), Check: read(func(c gen.ClientRecord) bool {
			return c.Name == "Portal 2" && c.Visibility == "public" && len(c.RedirectURIs) == 2 && c.RequiredIDP == idp && c.PreselectIDP == idp && c.Links.PrivacyPolicy != ""
		})},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true},
		// What is left out: null where the service has a null, unchanged otherwise.
		resource.TestStep{Config: base, ConfigPlanChecks: updated(address), Check: read(func(c gen.ClientRecord) bool {
			return c.Name == "Portal" && c.Visibility == "public" && len(c.RedirectURIs) == 2 && c.RequiredIDP == "" && c.PreselectIDP == "" && c.Links == (gen.ClientLinks{})
		})},
		resource.TestStep{Config: base, ConfigPlanChecks: empty()},
		resource.TestStep{Config: clientWith(`name = "Portal"
			client_type = "confidential_client"
			redirect_uris = []`), ConfigPlanChecks: updated(address), Check: read(func(c gen.ClientRecord) bool { return len(c.RedirectURIs) == 0 })},
		// Changed outside of the configuration.
		resource.TestStep{PreConfig: func() {
			_, err := w.auth.UpdateClient(w.Context(), made, gen.UpdateClientBody{Client: gen.ClientUpdate{
				RedirectURIs: nullable.NewNullableWithValue([]string{"https://evil.example.org/"}), RequiredIDP: nullable.NewNullableWithValue(idp),
			}})
			if err != nil {
				t.Error(err)
			}
		}, Config: clientWith(`name = "Portal"
			client_type = "confidential_client"
			redirect_uris = []`), ConfigPlanChecks: updated(address), Check: read(func(c gen.ClientRecord) bool { return len(c.RedirectURIs) == 0 && c.RequiredIDP == "" })},
		// What cannot be changed.
		resource.TestStep{Config: clientWith(`name = "Portal"
			public_client = true`), ConfigPlanChecks: replaced(address), Check: resource.TestCheckResourceAttr(address, "client_type", "public_installed_client")},
	)
	test.CheckDestroy = func(*terraform.State) error {
		if _, err := w.auth.GetClient(w.Context(), made); !errors.Is(err, apierror.ErrNotFound) {
			t.Errorf("after the destruction: %v", err)
		}
		return nil
	}
	resource.Test(t, test)
}

func TestClient_Type(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config, checks := lab, []resource.TestCheckFunc{}
	for _, each := range []struct{ kind, public string }{
		{"confidential_client", "false"},
		{"public_installed_client", "true"},
		{"public_webapp_client", "true"},
		{"client_identity", "false"},
		{"resource_server", "false"},
		{"globus_connect_server", "false"},
		{"hybrid_confidential_client_resource_server", "false"},
	} {
		config += fmt.Sprintf("resource \"globusauth_client\" %q {\n  project = globusauth_project.lab.id\n  name = %q\n  client_type = %q\n}\n", each.kind, each.kind, each.kind)
		checks = append(checks, resource.TestCheckResourceAttr("globusauth_client."+each.kind, "public_client", each.public))
	}
	w.run(resource.TestStep{Config: config, Check: resource.ComposeTestCheckFunc(checks...)})
}

func TestClient_Child(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ready := w.server.Ready()
	w.settings = fmt.Sprintf("client_id = %q\nclient_secret = %q", ready.ConfidentialClientID, ready.ConfidentialClientSecret)
	const address = "globusauth_client.child"
	child := `resource "globusauth_client" "child" {
		name = "Child"
		client_type = "confidential_client"
	}`
	w.run(
		resource.TestStep{Config: child, Check: resource.TestCheckResourceAttr(address, "parent_client", ready.ConfidentialClientID)},
		resource.TestStep{Config: child, ConfigPlanChecks: empty()},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true},
	)
	w = newWorld(t)
	w.run(resource.TestStep{Config: child, ExpectError: regexp.MustCompile(`A client needs a project`)})
}

func TestClientInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_client_instance.tool"
	with := func(name string) string {
		return fmt.Sprintf("resource \"globusauth_client_instance\" \"tool\" {\n  template_id = %q\n  name = %q\n}", w.server.Ready().TemplateID, name)
	}
	w.run(
		resource.TestStep{Config: with("One"), Check: resource.ComposeTestCheckFunc(
			resource.TestCheckResourceAttr(address, "parent_client", w.server.Ready().TemplateID), resource.TestCheckResourceAttrSet(address, "secret"),
		)},
		resource.TestStep{Config: with("One"), ConfigPlanChecks: empty()},
		resource.TestStep{Config: with("Two"), ConfigPlanChecks: updated(address), Check: resource.TestCheckResourceAttr(address, "name", "Two")},
	)
}

// An instance that exists already, by a provider that has its secret.
func TestClientInstance_Import(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_client_instance.tool"
	template := w.server.Ready().TemplateID
	made, err := w.auth.CreateClient(t.Context(), gen.CreateClientBody{Client: gen.ClientCreate{TemplateID: template, Name: "Tool"}})
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string) string {
		return fmt.Sprintf("resource \"globusauth_client_instance\" \"tool\" {\n  template_id = %q\n  name = %q\n}", template, name)
	}
	imported := resource.TestStep{Config: with("Tool"), ResourceName: address, ImportState: true, ImportStateId: template + "/" + made.Client.ID, ImportStatePersist: true}
	refused := imported
	refused.ExpectError = regexp.MustCompile(`You may not see this client`)
	w.run(refused)
	w.settings = fmt.Sprintf("client_id = %q\nclient_secret = %q", made.Client.ID, made.Included.ClientCredential.Secret)
	w.run(
		imported,
		resource.TestStep{Config: with("Tool"), ConfigPlanChecks: empty()},
		resource.TestStep{Config: with("Tool 2"), ConfigPlanChecks: updated(address), Check: resource.TestCheckResourceAttr(address, "id", made.Client.ID)},
	)
	if _, err := w.auth.GetClient(t.Context(), made.Client.ID); !errors.Is(err, apierror.ErrNotFound) {
		t.Errorf("after the destruction: %v", err)
	}
}

// A template is a client of its project.
func TestClient_ImportTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ready := w.server.Ready()
	const address = "globusauth_client.template"
	with := func(name string) string {
		return fmt.Sprintf("resource \"globusauth_client\" \"template\" {\n  project = %q\n  name = %q\n  client_type = \"public_installed_client\"\n}\n"+
			"resource \"globusauth_client_instance\" \"tool\" {\n  template_id = globusauth_client.template.id\n  name = \"Tool\"\n}", ready.ProjectID, name)
	}
	w.run(
		resource.TestStep{Config: with("Example tool template"), ResourceName: address, ImportState: true, ImportStateId: ready.TemplateID, ImportStatePersist: true},
		resource.TestStep{
			Config: with("Example tool template"), ConfigPlanChecks: action(address, plancheck.ResourceActionNoop),
			Check: resource.TestCheckResourceAttr("globusauth_client_instance.tool", "parent_client", ready.TemplateID),
		},
		resource.TestStep{
			Config: with("Template"), ConfigPlanChecks: action("globusauth_client_instance.tool", plancheck.ResourceActionNoop),
			Check: resource.TestCheckResourceAttr(address, "id", ready.TemplateID),
		},
	)
}

func TestClientCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_client_credential.first"
	with := func(name string) string {
		return clientWith("name = \"Portal\"\nclient_type = \"confidential_client\"") +
			fmt.Sprintf("resource \"globusauth_client_credential\" \"first\" {\n  client = globusauth_client.portal.id\n  name = %q\n}\n", name)
	}
	secret := func() string {
		clients := w.server.Snapshot().Clients
		return clients[len(clients)-1].Credentials[0].Secret
	}
	var client, made string
	w.run(
		resource.TestStep{Config: with("first"), Check: func(state *terraform.State) error {
			client, made = id(state, "globusauth_client.portal"), id(state, address)
			return resource.TestCheckResourceAttr(address, "secret", secret())(state)
		}},
		resource.TestStep{Config: with("first"), ConfigPlanChecks: empty(), Check: resource.TestCheckResourceAttrSet(address, "secret")},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"secret"}, ImportStateIdFunc: func(*terraform.State) (string, error) {
			return client + "/" + made, nil
		}},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateId: "x", ExpectError: regexp.MustCompile(`Use <client ID>/<ID>`)},
		resource.TestStep{Config: with("second"), ConfigPlanChecks: replaced(address)},
		// Deleted outside of the configuration.
		resource.TestStep{PreConfig: func() {
			list, err := w.auth.GetClientCredentials(w.Context(), client)
			if err != nil || len(list.Credentials) != 1 {
				t.Fatal(list, err)
			}
			if _, err := w.auth.DeleteClientCredential(w.Context(), client, list.Credentials[0].ID); err != nil {
				t.Fatal(err)
			}
		}, Config: with("second"), ConfigPlanChecks: created(address)},
	)
}

func TestClientFQDN(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_client_fqdn.api"
	with := func(fqdn string) string {
		return clientWith("name = \"API\"\nclient_type = \"resource_server\"") +
			fmt.Sprintf("resource \"globusauth_client_fqdn\" \"api\" {\n  client = globusauth_client.portal.id\n  fqdn = %q\n}\n", fqdn)
	}
	w.run(
		resource.TestStep{Config: with("api.example.edu")},
		resource.TestStep{Config: with("api.example.edu"), ConfigPlanChecks: empty()},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true},
		resource.TestStep{Config: with("API.example.edu"), ExpectError: regexp.MustCompile(`is not a host name in lower case`)},
		resource.TestStep{Config: with("api2.example.edu"), ConfigPlanChecks: replaced(address)},
	)
}
