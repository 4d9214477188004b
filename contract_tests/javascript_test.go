package contract_test

import (
	"strings"
	"testing"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
)

// jsID is the ID that most snapshots use.
const jsID = "6521a0c3-ffc9-4432-9cb6-41fa8fe2e4e9"

// javaScriptCalls make the requests of the JavaScript SDK's snapshots. Its "next"
// methods make the same requests and find the token themselves.
var javaScriptCalls = alsoNext(map[string]call{
	"next consents getAll": func(w *mocked) error { return only(w.user.GetConsents(w.ctx, jsID, nil)) },
	"next get":             func(w *mocked) error { return only(w.user.GetIdentity(w.ctx, jsID, nil)) },
	"next getAll": func(w *mocked) error {
		params := gen.GetIdentitiesParams{IDs: []string{"538e096f-0468-4d54-8463-50af72c01f95", "1e1cac10-b303-48d8-aa81-3b3a592a2564"}}
		return only(w.user.GetIdentities(w.ctx, &params))
	},

	"oauth2 introspect": func(w *mocked) error {
		return only(w.app.Introspect(w.ctx, gen.IntrospectRequest{Token: "abc-def-ghi", Include: "session_info,identity_set"}))
	},
	"oauth2 refresh": func(w *mocked) error {
		request := gen.TokenRequest{GrantType: gen.GrantTypeRefreshToken, ClientID: "some-client-id", RefreshToken: "abc-def-ghi"}
		return only(w.public.Token(w.ctx, request))
	},
	"oauth2 revoke": func(w *mocked) error {
		app := flows.Config{Auth: w.user, ClientID: "some-client-id"}
		return app.Revoke(w.ctx, "abc-def-ghi")
	},
	"oauth2 token": func(w *mocked) error {
		request := gen.TokenRequest{
			GrantType: gen.GrantTypeAuthorizationCode, ClientID: "my-client-id", Code: "CODE",
			CodeVerifier: "CODE_VERIFIER", RedirectURI: "https://redirect-uri",
		}
		return only(w.public.Token(w.ctx, request))
	},
	"oauth2 userinfo": func(w *mocked) error { return only(w.user.GetUserinfo(w.ctx)) },

	"policies create": func(w *mocked) error {
		policy := gen.PolicyCreate{
			ProjectID: "my-fake-project-uuid", DisplayName: "My New Policy", Description: "testing",
			HighAssurance: value(true), AuthenticationAssuranceTimeout: value(3600),
		}
		return only(w.user.CreatePolicy(w.ctx, gen.CreatePolicyBody{Policy: policy}))
	},
	"policies get":    func(w *mocked) error { return only(w.user.GetPolicy(w.ctx, jsID)) },
	"policies getAll": func(w *mocked) error { return only(w.user.GetPolicies(w.ctx)) },
	"policies remove": func(w *mocked) error { return only(w.user.DeletePolicy(w.ctx, jsID)) },
	"policies update": func(w *mocked) error {
		policy := gen.PolicyUpdate{DisplayName: value("Updated Policy Name"), Description: value("new description")}
		return only(w.user.UpdatePolicy(w.ctx, jsID, gen.UpdatePolicyBody{Policy: policy}))
	},

	"projects create": func(w *mocked) error {
		project := gen.ProjectCreate{
			DisplayName: "My New Project", ContactEmail: "contact@test.com", AdminIDs: []string{"admin-id-1", "admin-id-2"},
		}
		return only(w.user.CreateProject(w.ctx, gen.CreateProjectBody{Project: project}))
	},
	"projects get":    func(w *mocked) error { return only(w.user.GetProject(w.ctx, jsID)) },
	"projects getAll": func(w *mocked) error { return only(w.user.GetProjects(w.ctx)) },
	"projects remove": func(w *mocked) error { return only(w.user.DeleteProject(w.ctx, jsID)) },
	"projects update": func(w *mocked) error {
		project := gen.ProjectUpdate{DisplayName: value("Updated Project Name"), ContactEmail: value("new_email@test.com")}
		return only(w.user.UpdateProject(w.ctx, jsID, gen.UpdateProjectBody{Project: project}))
	},

	"scopes get":    func(w *mocked) error { return only(w.user.GetScope(w.ctx, jsID)) },
	"scopes getAll": func(w *mocked) error { return only(w.user.GetScopes(w.ctx, nil)) },
	"scopes remove": func(w *mocked) error { return only(w.user.DeleteScope(w.ctx, jsID)) },
	"scopes update": func(w *mocked) error {
		scope := gen.ScopeUpdate{Name: value("Updated Scope Name"), Description: value("new description")}
		return only(w.user.UpdateScope(w.ctx, jsID, gen.UpdateScopeBody{Scope: scope}))
	},

	"clients create": func(w *mocked) error {
		client := gen.ClientCreate{
			Name: "My Test Client", Project: "test-project-id", PublicClient: value(true),
			RedirectURIs: value([]string{"www.test.com"}), Visibility: gen.ClientVisibilityPrivate,
		}
		return only(w.user.CreateClient(w.ctx, gen.CreateClientBody{Client: client}))
	},
	"clients createNativeApp": func(w *mocked) error {
		client := gen.ClientCreate{Name: "My Native App", TemplateID: "test-native-template-id"}
		return only(w.public.CreateClient(w.ctx, gen.CreateClientBody{Client: client}))
	},
	"clients get": func(w *mocked) error { return only(w.user.GetClient(w.ctx, jsID)) },
	"clients getAll": func(w *mocked) error {
		return only(w.user.GetClients(w.ctx, &gen.GetClientsParams{FQDN: "www.test.com"}))
	},
	"clients remove": func(w *mocked) error { return only(w.user.DeleteClient(w.ctx, jsID)) },
	"clients update": func(w *mocked) error {
		links := gen.ClientLinksUpdate{
			PrivacyPolicy: value("www.test.com/privacy"), TermsAndConditions: value("www.test.com/terms"),
		}
		client := gen.ClientUpdate{
			Name: value("Updated Client Name"), Visibility: value(gen.ClientVisibilityPublic), Links: value(links),
		}
		return only(w.user.UpdateClient(w.ctx, jsID, gen.UpdateClientBody{Client: client}))
	},

	"client credentials create": func(w *mocked) error {
		body := gen.CreateClientCredentialBody{Credential: gen.ClientCredentialCreate{Name: "New Credential"}}
		return only(w.user.CreateClientCredential(w.ctx, "mock-client-id", body))
	},
	"client credentials getAll": func(w *mocked) error {
		return only(w.user.GetClientCredentials(w.ctx, "mock-client-id"))
	},
	"client credentials remove": func(w *mocked) error {
		return only(w.user.DeleteClientCredential(w.ctx, "mock-client-id", "mock-credential-id"))
	},
	"client scopes create": func(w *mocked) error {
		scope := gen.ScopeCreate{Name: "My New Scope", Description: "This is a scope", ScopeSuffix: "some-suffix"}
		return only(w.user.CreateScope(w.ctx, "mock-client-id", gen.CreateScopeBody{Scope: scope}))
	},
	"client scopes get": func(w *mocked) error {
		return only(w.user.GetClientScope(w.ctx, "mock-client-id", "mock-scope-id"))
	},
})

// alsoNext adds the "next" form of the methods for projects, clients, policies and
// scopes.
func alsoNext(calls map[string]call) map[string]call {
	all := map[string]call{}
	for label, call := range calls {
		all[label] = call
		for _, group := range []string{"policies ", "projects ", "scopes ", "clients ", "client credentials ", "client scopes "} {
			if method, ok := strings.CutPrefix(label, group); ok {
				all[group+"next "+method] = call
			}
		}
	}
	return all
}

func TestClient_JavaScriptRequests(t *testing.T) {
	t.Parallel()
	records := javaScriptRecords(t)
	replay(t, records, javaScriptCalls, javaScriptDifferences)
	for placeholder := range placeholders {
		if !strings.Contains(jsonTextOf(records), placeholder) {
			t.Errorf("no snapshot contains %q: remove the placeholder", placeholder)
		}
	}
}

// jsonTextOf returns all paths, forms and bodies of the records.
func jsonTextOf(records []record) string {
	var all strings.Builder
	for _, r := range records {
		all.WriteString(r.path + " " + r.body.form.Encode() + " " + jsonText(r.body.json) + "\n")
	}
	return all.String()
}
