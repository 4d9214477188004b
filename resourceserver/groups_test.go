package resourceserver_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

const operators = "7d3c2b1a-0f9e-4d8c-b7a6-5e4d3c2b1a09"

// groupWorld has a group of which the second identity of alice is a member.
func groupWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	if err := w.Add(authtest.World{Groups: []authtest.Group{{ID: operators, Name: "Operators", Members: []string{"alice@lab.example.org"}}}}); err != nil {
		t.Fatal(err)
	}
	return w
}

var withGroups = []string{string(jobs.With(scopes.GroupsViewMyGroups))}

func TestAPIProtect_AnyGroup(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	bob := w.AddUser(authtest.User{Username: "bob@physics.example.edu"})
	member := w.token(authtest.Grant{User: w.alice.Username, Scopes: withGroups})
	outsider := w.token(authtest.Grant{User: bob.Username, Scopes: withGroups})
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), resourceserver.AnyGroup(operators))
	for range 2 {
		if response, body := call(t, handler, "Bearer "+member); response.Code != http.StatusOK {
			t.Errorf("a member of the group is denied: %d %v", response.Code, body)
		}
		if response, body := call(t, handler, "Bearer "+outsider); response.Code != http.StatusForbidden || body["code"] != "Forbidden" {
			t.Errorf("an outsider: %d %v, want 403", response.Code, body)
		}
	}
	count := 0
	for _, request := range w.Requests() {
		if request.Operation == "getMyGroups" {
			count++
		}
	}
	if count != 2 {
		t.Errorf("%d requests to Globus Groups for two callers, want 2", count)
	}
}

func TestAPIProtect_AnyGroupWithoutConsent(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), resourceserver.AnyGroup(operators))
	response, body := call(t, handler, "Bearer "+w.token(authtest.Grant{User: w.alice.Username}))
	parameters, _ := body["authorization_parameters"].(map[string]any)
	required, _ := parameters["required_scopes"].([]any)
	if response.Code != http.StatusForbidden || body["code"] != "ConsentRequired" || !slices.Equal(required, []any{withGroups[0]}) {
		t.Errorf("%d %v, want a GARE that requires %q", response.Code, body, withGroups[0])
	}
}

func TestAPIProtect_GroupsDown(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "getMyGroups", Status: http.StatusInternalServerError})
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), resourceserver.AnyGroup(operators))
	response, body := call(t, handler, "Bearer "+w.token(authtest.Grant{User: w.alice.Username, Scopes: withGroups}))
	if response.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %v, want 503", response.Code, body)
	}
}

func TestCallerInfoHTTPClient_CachesTheDependentToken(t *testing.T) {
	t.Parallel()
	w := groupWorld(t)
	api := w.api(t, resourceserver.Config{})
	caller, err := api.Authenticate(t.Context(), w.token(authtest.Grant{User: w.alice.Username, Scopes: withGroups}))
	if err != nil {
		t.Fatal(err)
	}
	w.ResetStats()
	for range 3 {
		if _, err := caller.Token(t.Context(), scopes.GroupsViewMyGroups); err != nil {
			t.Fatal(err)
		}
	}
	w.AssertOperations("token")
}
