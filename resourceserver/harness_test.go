package resourceserver_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/apitest"
	"github.com/globusauth/globusauth/resourceserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiID   = apitest.ClientID
	robotID = apitest.RobotID
	jobs    = apitest.Jobs
	admin   = apitest.Admin
)

type world struct{ *apitest.World }

// newWorld has no network, so that it works in virtual time.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	server, err := authtest.NewServer(authtest.Config{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		tb.Fatal(err)
	}
	return &world{apitest.New(tb, server, authtest.User{
		ID: "a11ce000-0000-4000-8000-000000000001", Username: "alice@physics.example.edu", Linked: []authtest.User{{Username: "alice@lab.example.org"}},
	})}
}

func (w *world) api(tb testing.TB, config resourceserver.Config) *resourceserver.API {
	tb.Helper()
	config.OAuth = w.OAuth
	api, err := resourceserver.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return api
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
	auth, err := globusauth.New(globusauth.Config{BaseURL: w.BaseURL(), HTTPClient: &client, Now: w.Now, Wait: w.Wait})
	if err != nil {
		tb.Fatal(err)
	}
	return auth
}
