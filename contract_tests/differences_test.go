package contract_test

import (
	"regexp"
	"slices"
	"strings"
)

// notOffered are recorded requests that our client does not make, with the reason.
var notOffered = map[string]string{
	"AuthClient.get_client(both)":  "reading by ID and searching by host name are two methods",
	"oauth2_token/validate_active": "the response of POST /v2/oauth2/token/validate, which is not in the spec",
	"userinfo by POST":             "GET does the same",
	"oauth2 validate":              "POST /v2/oauth2/token/validate is deprecated and not in the spec: introspect",
}

// javaScriptDifferences are intended differences from the JavaScript SDK.
var javaScriptDifferences = []difference{
	{
		regexp.MustCompile(`^(next |client |clients (next )?(create|get|getAll|update|remove)$|policies|projects|scopes|oauth2 userinfo)`),
		mismatch{"Authorization", absent, bearer},
		"the snapshots were taken without a token",
	},
	{
		labels("oauth2 introspect"),
		mismatch{"Authorization", absent, basic},
		"the SDK leaves it to the caller to add the client's credentials",
	},
	{
		labels("clients create", "clients next create"),
		mismatch{"body /client/links", "{}", absent},
		"empty links are left out",
	},
}

// authorizeDifferences are intended differences from the URLs of the Python SDK.
var authorizeDifferences = []difference{
	{
		labels("authorize: native full"),
		mismatch{"query session_required_mfa", "True", "true"},
		"booleans are lower-case, as the JavaScript SDK writes them",
	},
	{
		labels("authorize: native mfa false"),
		mismatch{"query session_required_mfa", "False", absent},
		"false is not sent",
	},
}

// placeholders are the IDs in the JavaScript SDK's tests. They are sent as recorded,
// and replaced before the request is checked against the spec.
var placeholders = map[string]string{
	"my-fake-project-uuid":    "00000000-0000-4000-8000-000000000001",
	"admin-id-1":              "00000000-0000-4000-8000-000000000002",
	"admin-id-2":              "00000000-0000-4000-8000-000000000003",
	"test-project-id":         "00000000-0000-4000-8000-000000000004",
	"test-native-template-id": "00000000-0000-4000-8000-000000000005",
	"mock-client-id":          "00000000-0000-4000-8000-000000000006",
	"mock-credential-id":      "00000000-0000-4000-8000-000000000007",
	"mock-scope-id":           "00000000-0000-4000-8000-000000000008",
	"some-client-id":          "00000000-0000-4000-8000-000000000009",
	"my-client-id":            "00000000-0000-4000-8000-000000000010",
}

func labels(exact ...string) *regexp.Regexp {
	for i, label := range exact {
		exact[i] = regexp.QuoteMeta(label)
	}
	return regexp.MustCompile("^(" + strings.Join(exact, "|") + ")$")
}

const (
	basic  = "Basic N2ZiNThlMDAtODM5ZC00NGUzLTgwNDctMTBhNTAyNjEyZGNhOlNFQ1JFVA=="
	bearer = "Bearer " + userToken
)

// pythonDifferences are intended differences from the Python SDK.
var pythonDifferences = []difference{
	{
		labels("AuthClient.get_openid_configuration (with authorizer)"),
		mismatch{"Authorization", bearer, absent},
		"the document is public: no token is sent",
	},
	{
		labels("AuthClient.get_consents()"),
		mismatch{"query all", "False", absent},
		"false is not sent",
	},
	{
		labels("AuthClient.get_consents(all=True)"),
		mismatch{"query all", "True", "true"},
		"booleans are lower-case, as the service's own documents write them",
	},
	{
		labels("ConfidentialAppAuthClient.oauth2_token_introspect(include=list)"),
		mismatch{"form include", "identity_set and session_info", "identity_set,session_info"},
		"lists in forms are one string; the SDK's form encoder sends the parameter twice",
	},
	{
		labels("NativeAppAuthClient.oauth2_exchange_code_for_tokens"),
		mismatch{"form code_verifier", strings.Repeat("a", 43), zeroVerifier},
		"the verifier is always random",
	},
	{
		labels("ConfidentialAppAuthClient.oauth2_exchange_code_for_tokens"),
		mismatch{"form code_verifier", absent, zeroVerifier},
		"PKCE is always used",
	},
	{
		labels("AuthClient.get_identity_providers(domains,ids)"),
		mismatch{"requests", "none", "GET /v2/api/identity_providers"},
		"the service decides on combinations of parameters",
	},
	{
		labels("AuthClient.get_scopes(both)"),
		mismatch{"requests", "none", "GET /v2/api/scopes"},
		"the service decides on combinations of parameters",
	},
	{
		labels("AuthClient.create_client(no type)", "AuthClient.create_client(both types)", "AuthClient.create_client(one link)",
			"ConfidentialAppAuthClient.create_child_client(no type)"),
		mismatch{"requests", "none", "POST /v2/api/clients"},
		"the service decides on combinations of fields",
	},
	{
		labels("AuthClient.update_client(one link only)", "AuthClient.update_client(one link null, other str)"),
		mismatch{"requests", "none", "PUT /v2/api/clients/" + id1},
		"the service decides on combinations of fields",
	},
}

// offSpec are the expected violations of the spec by recorded requests.
var offSpec = map[string][]string{
	"ConfidentialAppAuthClient.oauth2_token_introspect(query_params)": {"undeclared query parameter foo"},
	"AuthLoginClient.oauth2_token(form dict)":                         {"undeclared form parameter a"},
	"authorize: native full":                                          {"undeclared query parameter foo"},
	// The SDK's test uses a suffix that the service does not allow.
	"client scopes create":      {"at /scope/scope_suffix: string doesn't match the regular expression \"^[a-z0-9_]+$\""},
	"client scopes next create": {"at /scope/scope_suffix: string doesn't match the regular expression \"^[a-z0-9_]+$\""},
}

// conforms returns the violations of the spec, except those in offSpec. The latter
// must occur.
func conforms(label string, x exchange) []string {
	var problems []string
	found := slices.Concat(x.ofRequest, x.ofResponse)
	for _, problem := range found {
		if !slices.Contains(offSpec[label], problem) {
			problems = append(problems, "spec: "+problem)
		}
	}
	for _, problem := range offSpec[label] {
		if !slices.Contains(found, problem) {
			problems = append(problems, "listed in offSpec, but does not occur: "+problem)
		}
	}
	return problems
}
