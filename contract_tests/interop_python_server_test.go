package contract_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

const (
	pythonTool  = "99999999-9999-4999-8999-999999999999" // the client of the user's token
	pythonUser  = "alice@a.edu"
	pythonOwner = "33333333-3333-4333-8333-333333333333" // of the recorded scopes
	pythonScope = "https://auth.globus.org/scopes/" + clientID + "/jobs"
)

// pythonWorld has the objects of the recorded requests. Most records use id1 and id2
// for all of them.
func pythonWorld(label string) authtest.World {
	aboutClient := strings.Contains(label, "_client") || strings.Contains(label, "create_scope") || strings.Contains(label, "native_app_instance")
	native := strings.HasPrefix(label, "NativeApp") || strings.HasPrefix(label, "AuthLogin") || strings.HasPrefix(label, "native")
	user := authtest.User{
		ID: id1, Username: pythonUser, Name: "Alice", Email: pythonUser,
		Linked: []authtest.User{{Username: "bob@example.org", Name: "Bob"}},
	}
	if aboutClient { // a confidential client is an identity, too
		user.ID = "44444444-4444-4444-8444-444444444444"
	}
	world := authtest.World{
		Providers: []authtest.Provider{
			{ID: id1, Name: "University of Chicago", Domains: []string{"uchicago.edu", "a.edu", "b.c", "e.f"}},
			{ID: id2, Name: "Globus ID", Domains: []string{"globusid.org"}},
		},
		Users:    []authtest.User{user, {ID: id2, Username: "a@b.c"}},
		Projects: []authtest.Project{{ID: id1, Name: "One", AdminIDs: []string{pythonUser}}, {ID: id2, Name: "Two", AdminIDs: []string{pythonUser}}},
		Clients: []authtest.Client{
			{ID: pythonTool, Name: "Tool", Type: "public_installed_client"},
			{ID: pythonOwner, Name: "Owner", Secret: "owner", Project: id2, FQDNs: []string{"api.example.org"}, Scopes: []authtest.Scope{
				{ID: id1, Suffix: "one"},
				{ID: id2, Suffix: "two"},
				{Scope: "a"},
				{Scope: "b"},
				{Scope: "https://auth.globus.org/scopes/" + id1 + "/data_access"},
			}},
		},
	}
	app := authtest.Client{ID: clientID, Name: "App", Secret: clientSecret, Project: id2, Type: "hybrid_confidential_client_resource_server"}
	app.RedirectURIs = []string{"https://app.example/cb"}
	app.Scopes = []authtest.Scope{{Suffix: "jobs", DependsOn: []authtest.Dependency{{Scope: "a"}, {Scope: "b"}}}}
	if native {
		app = authtest.Client{ID: clientID, Name: "App", Type: "public_installed_client"}
	}
	world.Clients = append(world.Clients, app)
	if aboutClient {
		client := authtest.Client{ID: id1, Name: "One", Project: id1, Credentials: []authtest.Credential{{ID: id2, Name: "c", Secret: "s"}}}
		if strings.Contains(label, "native_app_instance") {
			client = authtest.Client{ID: id1, Name: "One", Project: id1, Type: "public_installed_client", Template: true}
		}
		world.Clients = append(world.Clients, client)
	}
	if !strings.Contains(label, "delete_project") { // only an empty project can be deleted
		world.Policies = []authtest.Policy{{ID: id1, Project: id1, Name: "One"}, {ID: id2, Project: id1, Name: "Two"}}
	}
	return world
}

// pythonPeer sends the requests of the Python SDK to a test double with the base URL
// https://auth.globus.org.
type pythonPeer struct {
	t      *testing.T
	server *authtest.Server
	url    string
	client *http.Client
}

func newPythonPeer(t *testing.T, label string) *pythonPeer {
	t.Helper()
	world := pythonWorld(label)
	server, err := authtest.NewServer(authtest.Config{World: &world, BaseURL: baseURL})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return &pythonPeer{t: t, server: server, url: listener.URL, client: client}
}

// token issues a token of the user for Globus Auth.
func (p *pythonPeer) token() string {
	p.t.Helper()
	const auth = "urn:globus:auth:scope:auth.globus.org:"
	return p.server.Issue(authtest.Grant{
		User: pythonUser, Client: pythonTool,
		Scopes: []string{"openid", "profile", "email", auth + "manage_projects", auth + "view_identities", auth + "view_consents", auth + "view_identity_set"},
	})[0].AccessToken
}

// pythonRequest is a recorded request.
type pythonRequest struct {
	Label    string            `json:"label"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	RawQuery string            `json:"raw_query"`
	Headers  map[string]string `json:"headers"`
	JSON     json.RawMessage   `json:"json"`
	RawForm  string            `json:"raw_form"`
	Raised   string            `json:"raised"`
}

// pythonResult is a response with its decoded body.
type pythonResult struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
	json   any
}

func (p *pythonPeer) send(r pythonRequest) pythonResult {
	p.t.Helper()
	body := []byte(r.RawForm)
	if r.JSON != nil {
		body = r.JSON
	}
	url := p.url + r.Path
	if r.RawQuery != "" {
		url += "?" + r.RawQuery
	}
	req, err := http.NewRequestWithContext(p.t.Context(), r.Method, url, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"User-Agent": "globus-sdk-py-4.9.0", "Accept-Encoding": "identity", "Connection": "keep-alive",
	} {
		req.Header.Set(name, value)
	}
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	result := pythonResult{t: p.t, status: resp.StatusCode, header: resp.Header, body: text}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" {
		p.t.Errorf("Content-Encoding %q, want identity", encoding)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber() // to distinguish integers from floats
		if err := decoder.Decode(&result.json); err != nil {
			p.t.Fatalf("%v: %s", err, text)
		}
	}
	return result
}

// form sends a form to the token endpoint.
func (p *pythonPeer) form(form string, headers map[string]string) pythonResult {
	p.t.Helper()
	all := map[string]string{
		"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded",
		"X-Globus-Client-Info": "product=python-sdk,version=4.9.0",
	}
	maps.Copy(all, headers)
	return p.send(pythonRequest{Method: http.MethodPost, Path: "/v2/oauth2/token", Headers: all, RawForm: form})
}

// get reads a path with a token.
func (p *pythonPeer) get(path, rawQuery, token string) pythonResult {
	p.t.Helper()
	headers := map[string]string{"Accept": "application/json", "X-Globus-Client-Info": "product=python-sdk,version=4.9.0"}
	if token != "" {
		headers["Authorization"] = "Bearer " + token
	}
	return p.send(pythonRequest{Method: http.MethodGet, Path: path, RawQuery: rawQuery, Headers: headers})
}

// ok ends the test unless the response is a success with a JSON object.
func (r pythonResult) ok() map[string]any {
	r.t.Helper()
	object, isObject := r.json.(map[string]any)
	if r.status != http.StatusOK || !isObject {
		r.t.Fatalf("status %d, %s: %s", r.status, r.header.Get("Content-Type"), r.body)
	}
	return object
}

// refusedWith checks an error from which the Python SDK reads the code, the request
// ID and the messages.
func (r pythonResult) refusedWith(status int, code string) {
	r.t.Helper()
	object, _ := r.json.(map[string]any)
	errors, _ := object["errors"].([]any)
	if r.status != status || len(errors) == 0 {
		r.t.Fatalf("status %d, want %d with errors: %s", r.status, status, r.body)
	}
	for _, item := range errors {
		fields, _ := item.(map[string]any)
		for _, name := range []string{"status", "id", "code", "detail", "title"} {
			if text, _ := fields[name].(string); text == "" {
				r.t.Errorf("errors[].%s is %v, want a string", name, fields[name])
			}
		}
		if fields["code"] != code {
			r.t.Errorf("code %v, want %s", fields["code"], code)
		}
	}
}

// oauthError checks an error of RFC 6749.
func (r pythonResult) oauthError(status int, code string) {
	r.t.Helper()
	object, _ := r.json.(map[string]any)
	if r.status != status || object["error"] != code || object["errors"] != nil {
		r.t.Errorf("status %d, want %d with %s: %s", r.status, status, code, r.body)
	}
}
