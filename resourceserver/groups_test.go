package resourceserver_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
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
	member := w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups})
	outsider := w.Token(authtest.Grant{User: bob.Username, Scopes: withGroups})
	handler := w.api(t, resourceserver.Config{}).Protect(http.HandlerFunc(hello), resourceserver.AnyGroup(operators))
	for range 2 {
		if response, body := call(t, handler, "Bearer "+member); response.Code != http.StatusOK {
			t.Errorf("a member of the group is denied: %d %v", response.Code, body)
		}
		if response, body := call(t, handler, "Bearer "+outsider); response.Code != http.StatusForbidden || body["code"] != "Forbidden" {
			t.Errorf("an outsider: %d %v, want 403", response.Code, body)
		}
	}
	for _, identity := range []string{w.Alice.ID, bob.ID} { // Groups gets dependent tokens, not those of the callers.
		w.AssertRequested(authtest.Request{Operation: "getMyGroups", TokenIdentity: identity, TokenClient: apiID})
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
	response, body := call(t, handler, "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username}))
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
	response, body := call(t, handler, "Bearer "+w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
	if response.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %v, want 503", response.Code, body)
	}
}

// groupsRespond lets a function respond in place of Globus Groups.
func (w *world) groupsRespond(t *testing.T, respond func(token string) (int, string)) {
	t.Helper()
	w.OAuth.Auth = w.clientOver(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/v2/groups/my_groups" {
				return next.RoundTrip(r)
			}
			status, body := respond(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
	})
}

// Groups that would take more memory than the whole cache may have are not cached.
func TestCallerInfoGroups_CacheIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ size, cached int }{
		"small groups": {100, 1},
		"large groups": {32 << 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := groupWorld(t)
			w.groupsRespond(t, func(string) (int, string) {
				return 200, fmt.Sprintf(`[{"id":"x","description":%q,"my_memberships":[{"identity_id":%q,"status":"active"}]}]`, strings.Repeat("x", test.size), w.Alice.ID)
			})
			api := w.api(t, resourceserver.Config{CacheSize: 2})
			caller, err := api.Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
			if err != nil {
				t.Fatal(err)
			}
			if groups, err := caller.Groups(t.Context()); err != nil || len(groups) != 1 {
				t.Fatal(groups, err)
			}
			if cached := api.CachedGroups(); cached != test.cached {
				t.Errorf("the groups of %d callers are cached, want %d", cached, test.cached)
			}
		})
	}
}

// TestCallerInfoGroups_HostileResponses has Globus Groups repeat the token that it got, and send odd or large documents.
func TestCallerInfoGroups_HostileResponses(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(token string) (int, string){
		"repeats the token": func(token string) (int, string) { return 400, `{"code":"X","detail":"bad ` + token + `"}` },
		"a large group": func(string) (int, string) {
			return 200, `[{"id":"x","my_memberships":[` + strings.Repeat("{},", 1<<20) + `{}]}]`
		},
		"too large": func(string) (int, string) { return 200, `[` + strings.Repeat("{},", 3<<20) + `{}]` },
		"an object": func(string) (int, string) { return 200, `{}` },
		"cut off":   func(string) (int, string) { return 200, `[{"id":"x"}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := groupWorld(t)
			var sent string
			w.groupsRespond(t, func(token string) (int, string) {
				sent = token
				return respond(token)
			})
			caller, err := w.api(t, resourceserver.Config{}).Authenticate(t.Context(), w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = caller.Groups(t.Context())
			if denied, ok := errors.AsType[*resourceserver.DeniedError](err); !ok || denied.Status != http.StatusServiceUnavailable || sent == "" || strings.Contains(err.Error(), sent) {
				t.Errorf("got %v, want status 503 without the token", err)
			}
		})
	}
}
