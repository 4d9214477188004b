package resourceserver_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiID   = "3f4c6a1e-9a5b-4f0e-8b61-6b1f5d2c7a10"
	robotID = "8b6d3c52-2f1e-4c57-9f0a-1d2e3f4a5b6c"
	jobs    = scopes.Scope("https://auth.globus.org/scopes/" + apiID + "/jobs")
	admin   = scopes.Scope("https://auth.globus.org/scopes/" + apiID + "/admin")
)

// world is a test double with an API, a user and a service account.
type world struct {
	*authtest.Server

	oauth flows.Config
	alice authtest.User
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	server, err := authtest.NewServer(authtest.Config{BaseURL: "http://127.0.0.1:1"}) // without a network, so that it works in virtual time
	if err != nil {
		tb.Fatal(err)
	}
	if err := server.Add(authtest.World{Clients: []authtest.Client{
		{ID: apiID, Name: "API", Secret: "api-secret", Scopes: []authtest.Scope{
			{Scope: string(jobs), Name: "jobs", DependsOn: []authtest.Dependency{{Scope: string(scopes.GroupsViewMyGroups), Optional: true}}},
			{Scope: string(admin), Name: "admin"},
		}},
		{ID: robotID, Name: "robot", Secret: "robot-secret"},
	}}); err != nil {
		tb.Fatal(err)
	}
	auth, err := globusauth.New(globusauth.Config{BaseURL: server.BaseURL(), HTTPClient: server.Client(), Now: server.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return &world{
		Server: server, oauth: flows.Config{Auth: auth, ClientID: apiID, ClientSecret: "api-secret"},
		alice: server.AddUser(authtest.User{Username: "alice@physics.example.edu", Linked: []authtest.User{{Username: "alice@lab.example.org"}}}),
	}
}

func (w *world) api(tb testing.TB, config resourceserver.Config) *resourceserver.API {
	tb.Helper()
	config.OAuth = w.oauth
	api, err := resourceserver.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return api
}

// token issues an access token for the API.
func (w *world) token(grant authtest.Grant) string {
	if grant.Client == "" {
		grant.Client = w.Ready().NativeClientID
	}
	if grant.Scopes == nil {
		grant.Scopes = []string{string(jobs)}
	}
	return w.Issue(grant)[0].AccessToken
}

// call sends a request with the Authorization headers to a handler.
func call(tb testing.TB, handler http.Handler, authorization ...string) (*httptest.ResponseRecorder, map[string]any) {
	tb.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/", http.NoBody)
	request.Header["Authorization"] = authorization
	if authorization == nil {
		request.Header.Del("Authorization")
	}
	handler.ServeHTTP(recorder, request)
	var document map[string]any
	if body := recorder.Body.Bytes(); len(body) > 0 && json.Unmarshal(body, &document) != nil {
		tb.Fatalf("the body is not a JSON object: %s", body)
	}
	return recorder, document
}

// hello responds with the caller.
func hello(w http.ResponseWriter, r *http.Request) {
	caller := resourceserver.Caller(r.Context())
	document := map[string]any{"caller": nil}
	if caller != nil {
		document = map[string]any{"caller": caller.Username, "session_identity": caller.SessionIdentity, "linked": len(caller.Linked)}
	}
	_ = json.NewEncoder(w).Encode(document)
}

// clientOver is a client of the test double whose transport is wrapped.
func (w *world) clientOver(tb testing.TB, wrap func(http.RoundTripper) http.RoundTripper) *globusauth.Client {
	tb.Helper()
	client := *w.Client()
	client.Transport = wrap(client.Transport)
	auth, err := globusauth.New(globusauth.Config{BaseURL: w.BaseURL(), HTTPClient: &client, Now: w.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return auth
}
