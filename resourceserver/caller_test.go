package resourceserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
)

func TestAPIOptional_AnonymousAndInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := w.api(t, resourceserver.Config{Rules: rules(resourceserver.AllScopes(jobs))}).Optional(http.HandlerFunc(hello))
	if response, body := call(t, handler); response.Code != http.StatusOK || body["caller"] != nil {
		t.Errorf("anonymous: %d %v", response.Code, body)
	}
	if response, body := call(t, handler, "Bearer unknown"); response.Code != http.StatusUnauthorized {
		t.Errorf("an invalid token: %d %v, want 401", response.Code, body)
	}
	token := w.Token(authtest.Grant{User: w.Alice.Username})
	if response, body := call(t, handler, "Bearer "+token); response.Code != http.StatusOK || body["caller"] != w.Alice.Username {
		t.Errorf("a good token: %d %v", response.Code, body)
	}
}

func TestCallerInfoRequire_Objects(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	api := w.api(t, resourceserver.Config{})
	alice, err := api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
	if err != nil {
		t.Fatal(err)
	}
	linked := alice.Identities[1]
	tests := []struct {
		name      string
		principal []string
		alice     bool
		anonymous bool
	}{
		{name: "no principal"},
		{name: "own identity", principal: []string{"urn:globus:auth:identity:" + alice.Subject}, alice: true},
		{name: "linked identity in upper case", principal: []string{"urn:globus:auth:identity:" + strings.ToUpper(linked)}, alice: true},
		{name: "another identity", principal: []string{"urn:globus:auth:identity:" + robotID}},
		{name: "bare ID", principal: []string{alice.Subject}},
		{name: "group", principal: []string{"urn:globus:groups:id:" + operators}, alice: true},
		{name: "another group", principal: []string{"urn:globus:groups:id:" + robotID}},
		{name: "any user", principal: []string{"all_authenticated_users"}, alice: true},
		{name: "public", principal: []string{"public"}, alice: true, anonymous: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rule := resourceserver.AnyPrincipal(test.principal...)
			if err := alice.Require(t.Context(), rule); (err == nil) != test.alice {
				t.Errorf("alice: %v", err)
			}
			var anonymous *resourceserver.CallerInfo
			err := anonymous.Require(t.Context(), rule)
			denied, _ := errors.AsType[*resourceserver.DeniedError](err)
			if (err == nil) != test.anonymous || err != nil && denied.Status != http.StatusUnauthorized {
				t.Errorf("anonymous: %v", err)
			}
		})
	}
}

// TestCallerInfoRequire_PolicyThatNoRuleNamedBefore sends a further introspection.
func TestCallerInfoRequire_PolicyThatNoRuleNamedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	minute := 60
	policy := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "strict", HighAssurance: true, Timeout: &minute})
	api := w.api(t, resourceserver.Config{})
	caller, err := api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username}))
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Require(t.Context(), resourceserver.Policies(policy.ID)); err != nil {
		t.Error(err)
	}
	w.Advance(2 * time.Minute)
	caller, err = api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Age: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	err = caller.Require(t.Context(), resourceserver.Policies(policy.ID))
	if denied, ok := errors.AsType[*resourceserver.DeniedError](err); !ok || !slices.Equal(denied.Requirement.Parameters.SessionRequiredPolicies, []string{policy.ID}) {
		t.Errorf("got %v, want a requirement of the policy", err)
	}
}

func TestCheck_Errors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := "Bearer " + w.Token(authtest.Grant{User: w.Alice.Username})
	api := w.api(t, resourceserver.Config{})
	for name, test := range map[string]struct {
		err    error
		status int
	}{
		"nil":             {nil, http.StatusOK},
		"plain error":     {errors.New("internal details"), http.StatusForbidden},
		"own DeniedError": {&resourceserver.DeniedError{Status: http.StatusPaymentRequired, Code: "Quota", Message: "the quota is used up"}, http.StatusPaymentRequired},
	} {
		handler := api.Protect(http.HandlerFunc(hello), resourceserver.Check("quota", func(context.Context, *resourceserver.CallerInfo) error { return test.err }))
		response, body := call(t, handler, token)
		if response.Code != test.status || strings.Contains(response.Body.String(), "internal") {
			t.Errorf("%s: %d %v, want %d", name, response.Code, body, test.status)
		}
	}
}

func TestAPIProtect_InvalidRulePanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := w.api(t, resourceserver.Config{})
	for name, rule := range map[string]resourceserver.Rule{
		"zero": {}, "no scope": resourceserver.AllScopes(), "no policy": resourceserver.Policies(), "two policies in one": resourceserver.Policies("a,b"),
		"no age": resourceserver.Fresh(0), "nested": resourceserver.Services([]string{robotID}, resourceserver.SessionDomains()), "no group": resourceserver.AnyGroup(),
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "resourceserver: rule ") {
					t.Errorf("%s: recovered %q", name, text)
				}
			}()
			api.Protect(http.HandlerFunc(hello), rule)
		}()
	}
}

// FuzzAPIFromRequest changes the Authorization header: no header is let through but that with the token.
func FuzzAPIFromRequest(f *testing.F) {
	w := newWorld(f)
	api := w.api(f, resourceserver.Config{})
	token := w.Token(authtest.Grant{User: w.Alice.Username})
	for _, header := range []string{"Bearer " + token, "bearer  " + token, "Bearer", "Basic YTpi", token, "Bearer a b", "Bearer a,b", "Bearer \x00", "Bearer " + token + " ", "Bearer " + token + "="} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.edu/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Authorization"] = []string{header}
		caller, err := api.FromRequest(request)
		scheme, rest, _ := strings.Cut(header, " ")
		if good := strings.EqualFold(scheme, "bearer") && strings.TrimLeft(rest, " ") == token; (err == nil) != good {
			t.Errorf("%q: %v, %v", header, caller, err)
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("the error contains the token: %v", err)
		}
	})
}

// TestCallerInfo_LinkedIdentityOfTheSession says which linked identity met the rules about the session.
func TestCallerInfo_LinkedIdentityOfTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	linked := w.Alice.Linked[0]
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), resourceserver.SessionDomains("lab.example.org"))
	token := w.Token(authtest.Grant{User: w.Alice.Username, Session: []string{linked.Username}})
	response, body := call(t, handler, "Bearer "+token)
	if response.Code != http.StatusOK || body["session_identity"] != linked.ID {
		t.Errorf("%d %v, want the identity %s", response.Code, body, linked.ID)
	}
}

// TestAPIFromRequest_RulesAreOneSet wants the rules of the Config and of the call in one document, and met by one authentication.
func TestAPIFromRequest_RulesAreOneSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := w.api(t, resourceserver.Config{Rules: rules(resourceserver.SessionDomains("example.com"))})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username}))
	_, err := api.FromRequest(request, resourceserver.MFA())
	denied, ok := errors.AsType[*resourceserver.DeniedError](err)
	if !ok || denied.Rule != "SessionDomains,MFA" || denied.Requirement.Parameters.SessionRequiredMFA == nil || denied.Requirement.Parameters.SessionRequiredSingleDomain == nil {
		t.Errorf("got %v, want one requirement of both rules", err)
	}
	linked := w.Alice.Linked[0]
	request.Header.Set("Authorization", "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username, Session: []string{linked.Username}}))
	api = w.api(t, resourceserver.Config{Rules: rules(resourceserver.Fresh(time.Hour))})
	caller, err := api.FromRequest(request, resourceserver.SessionDomains("lab.example.org"))
	if err != nil || caller.SessionIdentity != linked.ID {
		t.Errorf("%v, %v, want the identity %s of the session", caller, err, linked.ID)
	}
	if _, err := api.FromRequest(request, resourceserver.Rule{}); err == nil || errors.As(err, &denied) {
		t.Errorf("the zero rule: %v, want an error that is no denial", err)
	}
}

// TestFresh_AuthenticationOfAnIdentityThatIsNotLinked has another person's identity in the session.
func TestFresh_AuthenticationOfAnIdentityThatIsNotLinked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.OAuth.Auth = w.clientOver(t, func(http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			recorder.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(recorder, `{"active":true,"aud":[%q],"sub":%q,"client_id":"x","scope":%q,"exp":%d,"identity_set":[%q],`+
				`"session_info":{"session_id":"s","authentications":{%q:{"auth_time":%d}}}}`,
				apiID, w.Alice.ID, jobs, w.Now().Add(time.Hour).Unix(), w.Alice.ID, robotID, w.Now().Unix())
			return recorder.Result(), nil
		})
	})
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), resourceserver.Fresh(time.Hour))
	if response, body := call(t, handler, "Bearer token"); response.Code != http.StatusForbidden {
		t.Errorf("%d %v, want 403", response.Code, body)
	}
}

// TestCallerInfoRequire_Concurrently is for the race detector.
func TestCallerInfoRequire_Concurrently(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	caller, err := w.api(t, resourceserver.Config{}).Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username}))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := caller.Require(t.Context(), resourceserver.Fresh(time.Hour)); err != nil || caller.SessionIdentity != "" {
				t.Errorf("%v, session identity %q", err, caller.SessionIdentity)
			}
		})
	}
	group.Wait()
}
