package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/examples/resourceserver/actionprovider"
	"github.com/globusauth/globusauth/examples/resourceserver/gateway"
	"github.com/globusauth/globusauth/internal/apitest"
	"github.com/globusauth/globusauth/scopes"
)

// TestPorts_LinesOfTheirOwn counts the lines of two real services on this module, without comments and imports.
func TestPorts_LinesOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"gateway/gateway.go", "actionprovider/provider.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, code, found := strings.Cut(string(text), "\n)\n") // the end of the imports
		lines := 0
		for line := range strings.Lines(code) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
		if !found || lines == 0 || lines > 45 {
			t.Errorf("%s has %d lines, want at most 45", file, lines)
		}
	}
}

const users, other = "7d3c2b1a-0f9e-4d8c-b7a6-5e4d3c2b1a09", "7d3c2b1a-0f9e-4d8c-b7a6-5e4d3c2b1a10"

func newWorld(t *testing.T) *apitest.World {
	t.Helper()
	w := apitest.New(t, authtest.New(t), authtest.User{Username: "alice@physics.example.edu"})
	if err := w.Add(authtest.World{Groups: []authtest.Group{{ID: users, Name: "Users", Members: []string{w.Alice.ID}}}}); err != nil {
		t.Fatal(err)
	}
	return w
}

// expect sends a request and compares the status and a part of the body.
func expect(t *testing.T, handler http.Handler, line, token string, status int, part string) {
	t.Helper()
	method, target, _ := strings.Cut(line, " ")
	request := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if recorder.Code != status || !strings.Contains(recorder.Body.String(), part) {
		t.Errorf("%s: status %d, want %d with %q: %s", line, recorder.Code, status, part, recorder.Body)
	}
}

func TestGateway_Requests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "institution", Include: []string{"physics.example.edu", "example.com"}})
	handler, err := gateway.New(gateway.Config{
		OAuth: w.OAuth, Inference: apitest.Jobs, Admin: apitest.Admin,
		Domains: []string{"physics.example.edu"}, Policies: []string{policy.ID}, Services: []string{apitest.RobotID},
		Models: map[string][]string{"small": {users}, "large": {other}},
	})
	if err != nil {
		t.Fatal(err)
	}
	withGroups := []string{string(apitest.Jobs.With(scopes.GroupsViewMyGroups))}
	expect(t, handler, "POST /models/small", w.Token(authtest.Grant{User: w.Alice.Username}), 403, "ConsentRequired")
	mallory := w.AddUser(authtest.User{Username: "mallory@example.com"})
	alice := w.Token(authtest.Grant{User: w.Alice.Username, Scopes: withGroups})
	expect(t, handler, "POST /models/small", "", 401, "Unauthorized")
	expect(t, handler, "POST /models/small", alice, 200, `"user":"alice@physics.example.edu"`)
	expect(t, handler, "POST /models/large", alice, 403, "Forbidden")
	expect(t, handler, "POST /models/none", alice, 404, "")
	expect(t, handler, "POST /models/small", w.Token(authtest.Grant{User: mallory.Username, Scopes: withGroups}), 403, "session_required_single_domain")
	expect(t, handler, "DELETE /models/small", alice, 403, "/admin")
	for age, status := range map[time.Duration]int{0: 204, time.Hour: 403} {
		expect(t, handler, "DELETE /models/small", w.Token(authtest.Grant{User: w.Alice.Username, Scopes: []string{string(apitest.Admin)}, Age: age}), status, "")
	}
}

func TestActionProvider_Requests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.AddUser(authtest.User{Username: "bob@physics.example.edu"})
	identity := func(id string) []string { return []string{"urn:globus:auth:identity:" + id} }
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	handler, err := actionprovider.Provider{
		OAuth: w.OAuth, Scope: apitest.Jobs, VisibleTo: []string{"public"}, RunnableBy: []string{"urn:globus:groups:id:" + users},
		MonitoredBy: func(string) []string { return append(identity(w.Alice.ID), identity(bob.ID)...) },
		ManagedBy:   func(string) []string { return identity(w.Alice.ID) },
		Describe:    say("described"), Status: say("ACTIVE"), Cancel: say("cancelled"),
		Run: func(w http.ResponseWriter, _ *http.Request, transfer *http.Client) {
			if transfer != nil {
				w.WriteHeader(http.StatusAccepted)
			}
		},
	}.Handler()
	if err != nil {
		t.Fatal(err)
	}
	groupsOnly := []string{string(apitest.Jobs.With(scopes.GroupsViewMyGroups))}
	expect(t, handler, "POST /run", w.Token(authtest.Grant{User: w.Alice.Username, Scopes: groupsOnly}), 403, string(scopes.TransferAll))
	granted := []string{string(apitest.Jobs.With(scopes.GroupsViewMyGroups, scopes.TransferAll))}
	alice, robert := w.Token(authtest.Grant{User: w.Alice.Username, Scopes: granted}), w.Token(authtest.Grant{User: bob.Username, Scopes: granted})
	expect(t, handler, "GET /", "", 200, "described")
	expect(t, handler, "GET /", "unknown", 401, "invalid_token")
	expect(t, handler, "POST /run", "", 401, "")
	expect(t, handler, "POST /run", alice, 202, "")
	expect(t, handler, "POST /run", robert, 403, "Forbidden")
	expect(t, handler, "GET /1/status", robert, 200, "ACTIVE")
	expect(t, handler, "POST /1/cancel", robert, 403, "Forbidden")
	expect(t, handler, "POST /1/cancel", alice, 200, "cancelled")
}
