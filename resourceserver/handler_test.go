package resourceserver_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

var update = flag.Bool("update", false, "write testdata/denials.txt")

// TestAPIProtect_Denials compares every kind of response to a denied request with testdata/denials.txt: status,
// header and body.
func TestAPIProtect_Denials(t *testing.T) {
	t.Parallel()
	minute := 60
	const policy = "9a0e7a10-2f43-4f51-9d7e-0b1c2d3e4f50"
	own := func(err error) []resourceserver.Rule {
		return rules(resourceserver.Check("own", func(context.Context, *resourceserver.CallerInfo) error { return err }))
	}
	alice, robot := "alice@physics.example.edu", authtest.Grant{Client: robotID}
	good := authtest.Grant{User: alice}
	old := authtest.Grant{User: alice, Age: time.Hour}
	withoutConsent := rules(resourceserver.AnyGroup(operators))
	introspection := func(kind authtest.FaultKind, status, retryAfter int) *authtest.Fault {
		return &authtest.Fault{Operation: "introspect", Kind: kind, Status: status, RetryAfter: retryAfter}
	}
	var got bytes.Buffer
	for _, test := range []struct {
		name  string
		send  []string // Authorization headers; TOKEN is the token of the grant
		grant authtest.Grant
		rules []resourceserver.Rule
		fault *authtest.Fault
	}{
		{name: "no token", send: []string{}},
		{name: "another scheme", send: []string{"Basic YTpi"}},
		{name: "empty header", send: []string{""}},
		{name: "scheme alone", send: []string{"Bearer"}},
		{name: "two tokens in a header", send: []string{"Bearer a b"}},
		{name: "list of tokens", send: []string{"Bearer TOKEN,Bearer TOKEN"}, grant: good},
		{name: "two headers", send: []string{"Bearer TOKEN", "Bearer TOKEN"}, grant: good},
		{name: "no token characters", send: []string{"Bearer é"}},
		{name: "unknown", send: []string{"Bearer unknown"}},
		{name: "too long", send: []string{"Bearer " + strings.Repeat("a", 5000)}},
		{name: "expired", grant: authtest.Grant{User: alice, Age: 49 * time.Hour}},
		{name: "for another resource server", grant: authtest.Grant{User: alice, Scopes: []string{string(scopes.TransferAll)}}},

		{name: "scope is missing", grant: good, rules: rules(resourceserver.AllScopes(jobs, admin))},
		{name: "no scope of several", grant: good, rules: rules(resourceserver.AnyScope(admin, admin+"2"))},
		{name: "policy is not satisfied", grant: old, rules: rules(resourceserver.Policies(policy))},
		{name: "unknown policy", grant: good, rules: rules(resourceserver.Policies(robotID))},
		{name: "session is too old", grant: old, rules: rules(resourceserver.Fresh(time.Minute))},
		{name: "no MFA", grant: good, rules: rules(resourceserver.MFA())},
		{name: "another domain", grant: good, rules: rules(resourceserver.SessionDomains("example.com"))},
		{name: "another provider", grant: good, rules: rules(resourceserver.SessionProviders(robotID))},
		{name: "another identity in the session", grant: good, rules: rules(resourceserver.SessionIdentities(robotID))},
		{
			name: "everything at once", grant: old,
			rules: rules(resourceserver.AllScopes(admin), resourceserver.Policies(policy), resourceserver.Fresh(time.Minute), resourceserver.MFA(),
				resourceserver.SessionDomains("example.com"), resourceserver.AnyGroup(operators)),
		},
		{name: "consent is missing", grant: good, rules: withoutConsent},
		{name: "another client", grant: good, rules: rules(resourceserver.Clients(robotID))},
		{name: "another identity", grant: good, rules: rules(resourceserver.AnyPrincipal("urn:globus:auth:identity:" + robotID))},
		{name: "not in the group", grant: authtest.Grant{User: alice, Scopes: withGroups}, rules: rules(resourceserver.AnyGroup(robotID))},
		{name: "no login helps", grant: old, rules: rules(resourceserver.MFA(), resourceserver.Clients(robotID))},
		{name: "service account without a session", grant: robot, rules: rules(resourceserver.Fresh(time.Hour))},
		{name: "service account is not listed", grant: robot, rules: rules(resourceserver.Services([]string{apiID}, resourceserver.Fresh(time.Hour)))},

		{name: "own rule", grant: good, rules: own(errors.New("internal details"))},
		{name: "own response", grant: good, rules: own(&resourceserver.DeniedError{Status: http.StatusPaymentRequired, Code: "Quota", Message: "the quota is used up"})},
		{
			name: "own challenge with characters that a header must not have", grant: good,
			rules: own(&resourceserver.DeniedError{Status: http.StatusUnauthorized, Code: "a\", b=\"c", Message: "no\r\nX-Evil: 1\\ \"é\""}),
		},

		{name: "Globus Auth fails", grant: good, fault: introspection(authtest.FaultStatus, 500, 0)},
		{name: "too many requests", grant: good, fault: introspection(authtest.FaultStatus, 429, 30)},
		{name: "malformed introspection", grant: good, fault: introspection(authtest.FaultMalformed, 0, 0)},
		{name: "wrong client secret", grant: good, fault: introspection(authtest.FaultStatus, 401, 0)},
		{
			name: "Globus Groups fails", grant: authtest.Grant{User: alice, Scopes: withGroups}, rules: withoutConsent,
			fault: &authtest.Fault{Operation: "getMyGroups", Kind: authtest.FaultStatus, Status: 500},
		},
		{
			name: "session is too old and Globus Groups fails", grant: authtest.Grant{User: alice, Scopes: withGroups, Age: time.Hour},
			rules: append(rules(resourceserver.Fresh(time.Minute)), withoutConsent...),
			fault: &authtest.Fault{Operation: "getMyGroups", Kind: authtest.FaultStatus, Status: 500},
		},
	} {
		w := groupWorld(t)
		w.AddPolicy(authtest.Policy{ID: policy, Project: w.Ready().ProjectID, Name: "strict", HighAssurance: true, Timeout: &minute})
		if test.fault != nil {
			w.Inject(*test.fault)
		}
		if test.send == nil {
			test.send = []string{"Bearer TOKEN"}
		}
		token := ""
		if test.grant.User+test.grant.Client != "" {
			token = w.Token(test.grant)
			for i := range test.send {
				test.send[i] = strings.ReplaceAll(test.send[i], "TOKEN", token)
			}
		}
		response, _ := call(t, w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), test.rules...), test.send...)
		_, _ = fmt.Fprintf(&got, "# %s\n%d\n", test.name, response.Code)
		_ = response.Header().Write(&got)
		_, _ = fmt.Fprintf(&got, "\n%s\n", response.Body)
		if response.Code == http.StatusOK || token != "" && strings.Contains(got.String(), token) {
			t.Errorf("%s: %d %s", test.name, response.Code, response.Body)
		}
	}
	const file = "testdata/denials.txt"
	text := strings.ReplaceAll(got.String(), "\r\n", "\n")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("the responses differ from %s; run go test -update:\n%s", file, diff)
	}
}

func TestAPIProtect_Allowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, robot := w.Token(authtest.Grant{User: w.Alice.Username}), w.Token(authtest.Grant{Client: robotID})
	const policy = "9a0e7a10-2f43-4f51-9d7e-0b1c2d3e4f50"
	w.AddPolicy(authtest.Policy{ID: policy, Project: w.Ready().ProjectID, Name: "edu", Include: []string{"physics.example.edu"}})
	for name, test := range map[string]struct {
		send  string
		rules []resourceserver.Rule
	}{
		"one scope":              {"bearer  " + good, rules(resourceserver.AnyScope(admin, jobs))},
		"fresh at the domain":    {"Bearer " + good, rules(resourceserver.Fresh(time.Minute), resourceserver.SessionDomains("physics.EXAMPLE.edu"))},
		"policy in upper case":   {"Bearer " + good, rules(resourceserver.Policies(strings.ToUpper(policy)))},
		"listed service account": {"Bearer " + robot, rules(resourceserver.Services([]string{robotID}, resourceserver.Fresh(time.Minute), resourceserver.Policies(policy)))},
		"any user":               {"Bearer " + good, rules(resourceserver.AnyPrincipal("all_authenticated_users"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if response, body := call(t, w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), test.rules...), test.send); response.Code != http.StatusOK {
				t.Errorf("%d %v", response.Code, body)
			}
		})
	}
}

// TestAPIProtect_EveryMethod wants no method to pass without a token, and none in the query or body to count.
func TestAPIProtect_EveryMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.Token(authtest.Grant{User: w.Alice.Username})
	server := httptest.NewServer(w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello)))
	t.Cleanup(server.Close)
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "TRACE", "BREW"} {
		for _, authorization := range []string{"", "Bearer " + token} {
			request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/?access_token="+token, strings.NewReader("access_token="+token))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Cookie", "Authorization=Bearer "+token)
			want := http.StatusUnauthorized
			if authorization != "" {
				request.Header.Set("Authorization", authorization)
				want = http.StatusOK
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != want || (want == http.StatusUnauthorized) != (response.Header.Get("WWW-Authenticate") == "Bearer") {
				t.Errorf("%s with %q: status %d, header %v", method, authorization, response.StatusCode, response.Header)
			}
		}
	}
}

func rules(list ...resourceserver.Rule) []resourceserver.Rule { return list }
