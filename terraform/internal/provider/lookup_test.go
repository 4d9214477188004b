//go:build interop

package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ready := w.server.Ready()
	data := func(kind, name, fields string) string {
		return fmt.Sprintf("data \"globusauth_%s\" %q {\n%s\n}\n", kind, name, fields)
	}
	transfer := "urn:globus:auth:scope:transfer.api.globus.org:all"
	w.run(resource.TestStep{
		Config: data("identity", "name", `username = "alice@example.edu"`) + data("identity", "id", `id = "`+bob+`"`) +
			data("identities", "all", `usernames = ["alice@example.edu", "bob@example.edu"]`) +
			data("identity_provider", "domain", `domain = "example.edu"`) + data("identity_providers", "all", `ids = ["`+idp+`"]`) +
			data("project", "id", `id = "`+ready.ProjectID+`"`) +
			data("client", "id", `id = "`+ready.ConfidentialClientID+`"`) + data("client", "fqdn", `fqdn = "`+ready.FQDN+`"`) +
			data("scope", "string", `scope_string = "`+transfer+`"`) + data("scope", "id", `id = data.globusauth_scope.string.id`) +
			data("policy", "id", `id = "`+ready.PolicyID+`"`) + data("userinfo", "me", "") + data("well_known_scopes", "all", ""),
		Check: resource.ComposeAggregateTestCheckFunc(
			resource.TestCheckResourceAttr("data.globusauth_identity.name", "id", alice),
			resource.TestCheckResourceAttr("data.globusauth_identity.id", "username", "bob@example.edu"),
			resource.TestCheckResourceAttr("data.globusauth_identities.all", "identities.#", "2"),
			resource.TestCheckResourceAttr("data.globusauth_identity_provider.domain", "id", idp),
			resource.TestCheckResourceAttr("data.globusauth_identity_providers.all", "identity_providers.#", "1"),
			resource.TestCheckResourceAttr("data.globusauth_project.id", "display_name", "Example project"),
			resource.TestCheckResourceAttr("data.globusauth_project.id", "admins.identities.#", "1"),
			resource.TestCheckResourceAttr("data.globusauth_client.id", "name", "Example portal"),
			resource.TestCheckResourceAttr("data.globusauth_client.fqdn", "id", ready.ConfidentialClientID),
			resource.TestCheckResourceAttr("data.globusauth_scope.id", "scope_string", transfer),
			resource.TestCheckResourceAttr("data.globusauth_policy.id", "authentication_assurance_timeout", "3600"),
			resource.TestCheckResourceAttr("data.globusauth_userinfo.me", "sub", alice),
			resource.TestCheckResourceAttr("data.globusauth_well_known_scopes.all", "scopes.transfer_all", transfer),
		),
	})
}

func TestLookup_NotFound(t *testing.T) {
	t.Parallel()
	const unknown = "00000000-0000-4000-8000-000000000000"
	for _, test := range []struct{ kind, fields, want string }{
		{"identity", `username = "eve@example.edu"`, `Nothing is found for "eve@example.edu"`},
		{"identity", `username = "eve"`, `has no domain`},
		{"identity", `id = "alice"`, `is not a UUID`},
		{"identity", ``, `Exactly one of id and username must be set`},
		{"identities", `usernames = ["alice@example.edu", "eve@example.edu"]`, `Nothing is found for "eve@example.edu".`},
		{"project", `id = "` + unknown + `"`, `Nothing is found`},
		{"client", `fqdn = "nowhere.example.edu"`, `Nothing is found`},
		{"scope", `scope_string = "urn:globus:auth:scope:nowhere:all"`, `Nothing is found`},
		{"policy", `id = "` + unknown + `"`, `Nothing is found`},
	} {
		t.Run(test.kind+"/"+test.fields, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(resource.TestStep{
				Config:      fmt.Sprintf("data \"globusauth_%s\" \"d\" {\n%s\n}", test.kind, test.fields),
				ExpectError: regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(test.want), " ", `\s+`)),
			})
		})
	}
}
