package resourceserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
)

func TestAPIProtect_Denials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token(authtest.Grant{User: w.alice.Username})
	minute := 60
	policy := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "strict", HighAssurance: true, Timeout: &minute})
	old := w.token(authtest.Grant{User: w.alice.Username, Age: time.Hour})
	robot := w.token(authtest.Grant{Client: robotID})
	revoked := w.token(authtest.Grant{User: w.alice.Username})
	w.ExpireToken(revoked)
	foreign := w.Issue(authtest.Grant{User: w.alice.Username, Client: w.Ready().NativeClientID, Scopes: []string{"urn:globus:auth:scope:transfer.api.globus.org:all"}})[0].AccessToken

	tests := []struct {
		name      string
		send      []string
		rules     []resourceserver.Rule
		status    int
		challenge string // contained in WWW-Authenticate
		code      string
	}{
		{name: "no token", status: 401, challenge: "Bearer", code: "Unauthorized"},
		{name: "another scheme", send: []string{"Basic YTpi"}, status: 401, challenge: "Bearer", code: "Unauthorized"},
		{name: "scheme alone", send: []string{"Bearer"}, status: 400, challenge: `error="invalid_request"`, code: "invalid_request"},
		{name: "two tokens in a header", send: []string{"Bearer a b"}, status: 400, challenge: `error="invalid_request"`, code: "invalid_request"},
		{name: "two headers", send: []string{"Bearer " + good, "Bearer " + good}, status: 400, challenge: `error="invalid_request"`, code: "invalid_request"},
		{name: "no token characters", send: []string{"Bearer é"}, status: 401, challenge: `error="invalid_token"`, code: "invalid_token"},
		{name: "unknown", send: []string{"Bearer unknown"}, status: 401, challenge: `error="invalid_token"`, code: "invalid_token"},
		{name: "too long", send: []string{"Bearer " + strings.Repeat("a", 5000)}, status: 401, challenge: `error="invalid_token"`, code: "invalid_token"},
		{name: "expired", send: []string{"Bearer " + revoked}, status: 401, challenge: `error="invalid_token"`, code: "invalid_token"},
		{name: "for another resource server", send: []string{"Bearer " + foreign}, status: 401, challenge: `error="invalid_token"`, code: "invalid_token"},
		{name: "scope is missing", send: []string{"Bearer " + good}, rules: rules(resourceserver.AllScopes(jobs, admin)), status: 403, challenge: `error="insufficient_scope"`, code: "ConsentRequired"},
		{name: "policy is not satisfied", send: []string{"Bearer " + old}, rules: rules(resourceserver.Policies(policy.ID)), status: 403, code: "AuthorizationRequired"},
		{name: "session is too old", send: []string{"Bearer " + old}, rules: rules(resourceserver.Fresh(time.Minute)), status: 403, code: "AuthorizationRequired"},
		{name: "no MFA", send: []string{"Bearer " + good}, rules: rules(resourceserver.MFA()), status: 403, code: "AuthorizationRequired"},
		{name: "another domain", send: []string{"Bearer " + good}, rules: rules(resourceserver.SessionDomains("example.com")), status: 403, code: "AuthorizationRequired"},
		{name: "another client", send: []string{"Bearer " + good}, rules: rules(resourceserver.Clients(robotID)), status: 403, code: "Forbidden"},
		{name: "another identity", send: []string{"Bearer " + good}, rules: rules(resourceserver.AnyPrincipal("urn:globus:auth:identity:" + robotID)), status: 403, code: "Forbidden"},
		{name: "service account without a session", send: []string{"Bearer " + robot}, rules: rules(resourceserver.Fresh(time.Hour)), status: 403, code: "AuthorizationRequired"},
		{name: "service account is not listed", send: []string{"Bearer " + robot}, rules: rules(resourceserver.Services([]string{apiID}, resourceserver.Fresh(time.Hour))), status: 403, code: "AuthorizationRequired"},

		{name: "good", send: []string{"bearer  " + good}, rules: rules(resourceserver.AnyScope(admin, jobs)), status: 200},
		{name: "fresh at the domain", send: []string{"Bearer " + good}, rules: rules(resourceserver.Fresh(time.Minute), resourceserver.SessionDomains("physics.EXAMPLE.edu")), status: 200},
		{name: "listed service account", send: []string{"Bearer " + robot}, rules: rules(resourceserver.Services([]string{robotID}, resourceserver.Fresh(time.Minute), resourceserver.Policies(policy.ID))), status: 200},
		{name: "any user", send: []string{"Bearer " + good}, rules: rules(resourceserver.AnyPrincipal("all_authenticated_users")), status: 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := w.api(t, resourceserver.Config{})
			response, body := call(t, api.Protect(http.HandlerFunc(hello), test.rules...), test.send...)
			challenge := response.Header().Get("WWW-Authenticate")
			if response.Code != test.status || !strings.Contains(challenge, test.challenge) || (challenge == "") != (test.challenge == "") {
				t.Errorf("status %d, WWW-Authenticate %q, want %d %q; body %v", response.Code, challenge, test.status, test.challenge, body)
			}
			if code, _ := body["code"].(string); code != test.code {
				t.Errorf("code %q, want %q; body %v", code, test.code, body)
			}
		})
	}
}

func rules(list ...resourceserver.Rule) []resourceserver.Rule { return list }
