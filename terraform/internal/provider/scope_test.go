//go:build interop

package provider_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/gen"
)

func scopeWith(name, fields string) string {
	return fmt.Sprintf("resource \"globusauth_scope\" %q {\nclient = globusauth_client.portal.id\n%s\n}\n", name, fields)
}

func TestScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_scope.read"
	client := clientWith("name = \"API\"\nclient_type = \"resource_server\"")
	write := scopeWith("write", "name = \"Write\"\ndescription = \"Write data\"\nscope_suffix = \"write\"")
	base := client + write + scopeWith("read", "name = \"Read\"\ndescription = \"Read data\"\nscope_suffix = \"read\"")
	full := func(dependent string) string {
		return client + write + scopeWith("read", `name = "Read 2"
			description = "Read all data"
			scope_suffix = "read_all"
			advertised = true
			allows_refresh_token = false
			required_domains = ["example.edu"]
			dependent_scopes = [`+dependent+`]`)
	}
	dependency := `{ scope = globusauth_scope.write.id, optional = true, requires_refresh_token = false }`
	var made string
	read := func(check func(s gen.Scope) bool) resource.TestCheckFunc {
		return func(*terraform.State) error {
			got, err := w.auth.GetScope(w.Context(), made)
			if err == nil && !check(got.Scope) {
				t.Errorf("got %+v", got.Scope)
			}
			return err
		}
	}
	w.run(
		resource.TestStep{Config: base, Check: resource.ComposeTestCheckFunc(
			keep(&made, address),
			resource.TestMatchResourceAttr(address, "scope_string", regexp.MustCompile(`^https://auth\.globus\.org/scopes/.*/read$`)),
		)},
		resource.TestStep{Config: base, ConfigPlanChecks: empty()},
		resource.TestStep{Config: full(dependency), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
			plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
			// What an update leaves as it is stays known; otherwise all that depends on it is planned anew.
			plancheck.ExpectKnownValue(address, tfjsonpath.New("id"), knownvalue.NotNull()),
			plancheck.ExpectUnknownValue(address, tfjsonpath.New("scope_string")),
		}}, Check: resource.ComposeTestCheckFunc(
			resource.TestMatchResourceAttr(address, "scope_string", regexp.MustCompile(`/read_all$`)),
			read(func(s gen.Scope) bool {
				return s.Name == "Read 2" && s.Description == "Read all data" && s.Advertised && !s.AllowsRefreshToken && len(s.RequiredDomains) == 1 && len(s.DependentScopes) == 1 && s.DependentScopes[0].Optional
			}),
		)},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateIdFunc: func(state *terraform.State) (string, error) {
			return id(state, "globusauth_client.portal") + "/" + made, nil
		}},
		resource.TestStep{PreConfig: func() {
			_, err := w.auth.UpdateScope(w.Context(), made, gen.UpdateScopeBody{Scope: gen.ScopeUpdate{DependentScopes: nullable.NewNullableWithValue([]gen.DependentScope{})}})
			if err != nil {
				t.Error(err)
			}
		}, Config: full(dependency), ConfigPlanChecks: updated(address), Check: read(func(s gen.Scope) bool { return len(s.DependentScopes) == 1 })},
		resource.TestStep{Config: full(""), Check: read(func(s gen.Scope) bool { return len(s.DependentScopes) == 0 })},
	)
}

func TestScope_HostNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_scope.read"
	client := clientWith("name = \"API\"\nclient_type = \"resource_server\"")
	with := func(description string) string {
		return client +
			"resource \"globusauth_client_fqdn\" \"api\" {\n  client = globusauth_client.portal.id\n  fqdn = \"api.example.edu\"\n}\n" +
			scopeWith("read", "name = \"Read\"\nscope_suffix = \"read\"\ndepends_on = [globusauth_client_fqdn.api]\ndescription = \""+description+"\"")
	}
	descriptions := func(want string, count int) resource.TestCheckFunc {
		return func(*terraform.State) error {
			list, err := w.auth.GetScopes(w.Context(), nil)
			if err != nil {
				return err
			}
			found := 0
			for _, s := range list.Scopes {
				if s.Description == want {
					found++
				}
			}
			if found != count {
				t.Errorf("%d scopes have the description %q, want %d", found, want, count)
			}
			return nil
		}
	}
	w.run(
		resource.TestStep{Config: with("One"), Check: resource.ComposeTestCheckFunc(resource.TestCheckResourceAttr(address, "scope_ids.#", "2"), descriptions("One", 2))},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateIdFunc: func(state *terraform.State) (string, error) {
			return id(state, "globusauth_client.portal") + "/" + id(state, address), nil
		}},
		// The second of two updates fails, and the next run sends both.
		resource.TestStep{PreConfig: func() {
			w.server.Inject(authtest.Fault{Operation: "updateScope", Kind: authtest.FaultStatus, Status: 400, Nth: 2})
		}, Config: with("Two"), ExpectError: regexp.MustCompile("Cannot update the scope")},
		resource.TestStep{Config: with("Two"), ConfigPlanChecks: updated(address), Check: descriptions("Two", 2)},
		resource.TestStep{Config: client, Check: descriptions("Two", 0)},
	)
}

func policyWith(fields string) string {
	return lab + "resource \"globusauth_policy\" \"fresh\" {\nproject_id = globusauth_project.lab.id\n" + fields + "\n}\n"
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const address = "globusauth_policy.fresh"
	var made string
	read := func(check func(p gen.Policy) bool) resource.TestCheckFunc {
		return func(*terraform.State) error {
			got, err := w.auth.GetPolicy(w.Context(), made)
			if err == nil && !check(got.Policy) {
				t.Errorf("got %+v", got.Policy)
			}
			return err
		}
	}
	base := policyWith("display_name = \"Fresh\"\ndescription = \"\"")
	assured := policyWith(`display_name = "Fresh 2"
		description = "Fresh logins"
		high_assurance = true
		required_mfa = true
		authentication_assurance_timeout = 600
		domain_constraints_include = ["example.edu", "*.example.org"]
		domain_constraints_exclude = []`)
	w.run(
		resource.TestStep{Config: base, Check: resource.ComposeTestCheckFunc(
			keep(&made, address),
			resource.TestCheckNoResourceAttr(address, "domain_constraints_include.#"),
			resource.TestCheckNoResourceAttr(address, "authentication_assurance_timeout"),
			resource.TestCheckResourceAttr(address, "high_assurance", "false"),
		)},
		resource.TestStep{Config: base, ConfigPlanChecks: empty()},
		resource.TestStep{Config: assured, ConfigPlanChecks: updated(address), Check: resource.ComposeTestCheckFunc(
			// An empty set and null are two values.
			resource.TestCheckResourceAttr(address, "domain_constraints_exclude.#", "0"),
			read(func(p gen.Policy) bool {
				return p.DisplayName == "Fresh 2" && p.Description == "Fresh logins" && p.HighAssurance && p.RequiredMFA && p.AuthenticationAssuranceTimeout == 600 &&
					len(p.DomainConstraintsInclude) == 2 && p.DomainConstraintsExclude != nil
			}),
		)},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true},
		// Drift from an empty set to null.
		resource.TestStep{PreConfig: func() {
			_, err := w.auth.UpdatePolicy(w.Context(), made, gen.UpdatePolicyBody{Policy: gen.PolicyUpdate{DomainConstraintsExclude: nullable.NewNullNullable[[]string]()}})
			if err != nil {
				t.Error(err)
			}
		}, Config: assured, ConfigPlanChecks: updated(address)},
		// Left out again, they are null.
		resource.TestStep{Config: policyWith(`display_name = "Fresh 2"
			description = "Fresh logins"
			high_assurance = false
			required_mfa = false`), ConfigPlanChecks: updated(address), Check: read(func(p gen.Policy) bool {
			return !p.HighAssurance && p.AuthenticationAssuranceTimeout == 0 && p.DomainConstraintsInclude == nil && p.DomainConstraintsExclude == nil
		})},
		// Into another project.
		resource.TestStep{Config: policyWith("display_name = \"Fresh 2\"\ndescription = \"Fresh logins\"") + `
			resource "globusauth_project" "other" {
				display_name  = "Other"
				contact_email = "lab@example.edu"
				admin_ids     = ["` + alice + `"]
			}
			resource "globusauth_policy" "moved" {
				project_id   = globusauth_project.other.id
				display_name = "Moved"
				description  = ""
			}`},
	)
}
