package apierror_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/apierror"
)

// Bodies beside the recorded ones; want is the canonical form of each
// requirement, one a line.
func TestRequirements(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"no JSON", `<html>`, ``},
		{"truncated", `{"code":"X","authorization_parameters":{}`, ``},
		{"a list", `[{"code":"X","authorization_parameters":{}}]`, ``},
		{"null", `null`, ``},
		{"empty", ``, ``},
		{"too long", `{"code":"X","authorization_parameters":{}}` + strings.Repeat(" ", 256<<10), ``},
		{"code of another type", `{"code":1,"authorization_parameters":{}}`, ``},
		{"parameters of another type", `{"code":"X","authorization_parameters":[]}`, ``},
		{
			"null code", `{"code":null,"authorization_parameters":{}}`,
			`{"code":"AuthorizationRequired","authorization_parameters":{}}`,
		},
		{
			"null is absent",
			`{"code":"X","authorization_parameters":{"session_message":null,"session_required_identities":null,"session_required_policies":null,` +
				`"session_required_single_domain":null,"session_required_mfa":null,"required_scopes":null,"prompt":null}}`,
			`{"code":"X","authorization_parameters":{}}`,
		},
		{
			"empty lists are kept, and false",
			`{"code":"X","authorization_parameters":{"session_required_identities":[],"session_required_mfa":false,"required_scopes":[]}}`,
			`{"code":"X","authorization_parameters":{"session_required_identities":[],"session_required_mfa":false,"required_scopes":[]}}`,
		},
		{
			"spaces and nothing between commas",
			`{"authorization_parameters":{"session_required_policies":" a , ,b,","session_required_single_domain":""}}`,
			`{"code":"AuthorizationRequired","authorization_parameters":{"session_required_policies":["a","b"],"session_required_single_domain":[]}}`,
		},
		{
			"unknown fields in other letters", `{"code":"X","authorization_parameters":{"Prompt":7,"ſession_message":"m","REQUIRED_SCOPES":["s"],"prompt":"login"}}`,
			`{"code":"X","authorization_parameters":{"prompt":"login"}}`,
		},
		{"a list with a number", `{"code":"X","authorization_parameters":{"required_scopes":["a",1],"prompt":"none"}}`, ``},
		{"scopes of another type", `{"code":"X","authorization_parameters":{"required_scopes":"a b"}}`, ``},
		{
			"joined by commas, with scopes", `{"code":"X","authorization_parameters":{"session_required_policies":"a,b","required_scopes":["s"]}}`,
			`{"code":"X","authorization_parameters":{"session_required_policies":["a","b"],"required_scopes":["s"]}}`,
		},
		{
			"without a code, with scopes", `{"authorization_parameters":{"required_scopes":["s"],"prompt":"login"}}`,
			`{"code":"AuthorizationRequired","authorization_parameters":{"prompt":"login"}}`,
		},
		{
			"code with control characters", `{"code":"X\u0007\nY","authorization_parameters":{}}`,
			`{"code":"X Y","authorization_parameters":{}}`,
		},
		{"MFA of another type", `{"code":"X","authorization_parameters":{"session_required_mfa":1}}`, ``},
		{
			"message for people", `{"code":"X","authorization_parameters":{"session_message":"log\u001b[2J in\r\nagain"}}`,
			`{"code":"X","authorization_parameters":{"session_message":"log [2J in again"}}`,
		},
		{
			"message of another type", `{"code":"ConsentRequired","required_scopes":["a"],"message":{}}`,
			`{"code":"ConsentRequired","authorization_parameters":{"required_scopes":["a"]}}`,
		},
		{
			"scopes of another type, then one scope", `{"code":"ConsentRequired","required_scopes":"a","required_scope":"b"}`,
			`{"code":"ConsentRequired","authorization_parameters":{"required_scopes":["b"]}}`,
		},
		{"scopes under another code", `{"code":"Other","required_scopes":["a"]}`, ``},
		{"unapproved scopes of another type", `{"error":"dependent_consent_required","errors":[{"unapproved_scopes":"a"}]}`, ``},
		{"dependent consent without an object", `{"error":"dependent_consent_required","errors":["a"]}`, ``},
		{"dependent consent without a list", `{"error":"dependent_consent_required","errors":{}}`, ``},
		{
			"root first", `{"code":"R","authorization_parameters":{},"errors":[{"code":"A","authorization_parameters":{}},{"code":"B"},{"code":"ConsentRequired","required_scope":"s"}]}`,
			`{"code":"R","authorization_parameters":{}}` + "\n" +
				`{"code":"A","authorization_parameters":{}}` + "\n" +
				`{"code":"ConsentRequired","authorization_parameters":{"required_scopes":["s"]}}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			for _, requirement := range apierror.Requirements([]byte(test.body)) {
				lines = append(lines, encode(t, requirement))
			}
			if diff := cmp.Diff(test.want, strings.Join(lines, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A requirement that an application stored reads back as it was.
func TestAuthorizationParameters_RoundTrip(t *testing.T) {
	t.Parallel()
	yes := true
	want := apierror.AuthorizationParameters{
		SessionMessage:              "m",
		SessionRequiredIdentities:   []string{"i"},
		SessionRequiredPolicies:     []string{"p"},
		SessionRequiredSingleDomain: []string{},
		SessionRequiredMFA:          &yes,
		RequiredScopes:              []string{"s"},
		Prompt:                      "login",
	}
	var got apierror.AuthorizationParameters
	if err := json.Unmarshal([]byte(encode(t, want)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
