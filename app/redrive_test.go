package app_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

// picky is a service that wants more of the tokens that it has not seen approved.
type picky struct {
	*httptest.Server

	mu       sync.Mutex
	refusal  string // the refusal
	content  string // its content type
	approved func(token string) bool
	bodies   []string
	tokens   []string
}

func newPicky(t *testing.T, refusal string) *picky {
	t.Helper()
	p := &picky{refusal: refusal, content: "application/json", approved: func(string) bool { return false }}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		p.mu.Lock()
		defer p.mu.Unlock()
		p.bodies, p.tokens = append(p.bodies, string(body)), append(p.tokens, token)
		if p.approved(token) {
			_, _ = io.WriteString(w, "welcome")
			return
		}
		w.Header().Set("Content-Type", p.content)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, p.refusal)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *picky) host() string { return strings.TrimPrefix(p.URL, "http://") }

// after approves all tokens other than those seen so far.
func (p *picky) after() {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := map[string]bool{}
	for _, token := range p.tokens {
		old[token] = true
	}
	p.approved = func(token string) bool {
		if len(p.tokens) == 1 {
			old[token] = true
		}
		return !old[token]
	}
}

const (
	gareSession = `{"code":"AuthorizationRequired","authorization_parameters":{"session_message":"Log in as staff",
		"session_required_single_domain":["example.edu"],"prompt":"login"}}`
	gareConsent = `{"code":"ConsentRequired","required_scopes":["urn:globus:auth:scope:groups.api.globus.org:all"],"message":"more"}`
)

func send(t *testing.T, client *http.Client, body io.Reader, target string) (string, int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	text, err := io.ReadAll(resp.Body)
	if closed := resp.Body.Close(); closed != nil {
		t.Error(closed)
	}
	return string(text), resp.StatusCode, err
}

func TestAppHTTPClient_Redrive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refusal string
		want    url.Values
	}{
		"session": {gareSession, url.Values{"session_message": {"Log in as staff"}, "session_required_single_domain": {"example.edu"}, "prompt": {"login"}}},
		"consent": {gareConsent, url.Values{"session_message": {"more"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			service := newPicky(t, test.refusal)
			service.after()
			user := w.user(t, func(c *app.Config) { c.RedriveGAREs = true })
			client, err := user.HTTPClient(t.Context(), scopes.TransferResourceServer, service.host())
			if err != nil {
				t.Fatal(err)
			}
			text, status, err := send(t, client, strings.NewReader("the body"), service.URL)
			if err != nil || status != http.StatusOK || text != "welcome" {
				t.Fatalf("%q, %d, %v", text, status, err)
			}
			if len(service.bodies) != 2 || service.bodies[0] != "the body" || service.bodies[1] != "the body" || service.tokens[0] == service.tokens[1] {
				t.Errorf("the service got %q", service.bodies)
			}
			if w.person.count() != 2 {
				t.Errorf("%d logins", w.person.count())
			}
			asked := w.person.last(t)
			for name, value := range test.want {
				if asked.Get(name) != value[0] {
					t.Errorf("%s is %q, want %q", name, asked.Get(name), value[0])
				}
			}
			if !hasScopes(asked.Get("scope"), scopes.TransferAll) || (name == "consent") != hasScopes(asked.Get("scope"), scopes.GroupsAll) {
				t.Errorf("scope %q", asked.Get("scope"))
			}
			for _, parameter := range []string{"session_required_mfa", "session_required_policies", "session_required_identities"} {
				if asked.Has(parameter) {
					t.Errorf("%s was not asked for", parameter)
				}
			}
		})
	}
}

// Where no login may or can be run, the refusal is an error of its own type.
func TestAppHTTPClient_RefusalIsTyped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*app.Config)
		body   io.Reader
		sent   int
		logins int
	}{
		"off":                          {func(*app.Config) {}, nil, 1, 1},
		"no login":                     {func(c *app.Config) { c.RedriveGAREs, c.NoLogin = true, true }, nil, 1, 1},
		"body that cannot come again":  {func(c *app.Config) { c.RedriveGAREs = true }, io.MultiReader(strings.NewReader("x")), 1, 1},
		"refused again after a login":  {func(c *app.Config) { c.RedriveGAREs = true }, nil, 2, 2},
		"and with a body that can":     {func(c *app.Config) { c.RedriveGAREs = true }, strings.NewReader("x"), 2, 2},
		"off, whatever the body":       {func(*app.Config) {}, io.MultiReader(strings.NewReader("x")), 1, 1},
		"no login, a body that cannot": {func(c *app.Config) { c.NoLogin = true }, io.MultiReader(strings.NewReader("x")), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			token(t, w.user(t, nil).Source(scopes.TransferResourceServer))
			service := newPicky(t, gareSession)
			client, err := w.user(t, test.change).HTTPClient(t.Context(), scopes.TransferResourceServer, service.host())
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = send(t, client, test.body, service.URL+"/path?query=SECRET")
			refusal, ok := errors.AsType[*apierror.Error](err)
			if !ok || !errors.Is(err, apierror.ErrAuthorizationRequired) || refusal.Authorization.SessionMessage != "Log in as staff" || refusal.StatusCode != http.StatusForbidden {
				t.Fatalf("error %v", err)
			}
			if strings.Contains(refusal.Error(), "SECRET") {
				t.Errorf("error %v", refusal)
			}
			if len(service.bodies) != test.sent || w.person.count() != test.logins {
				t.Errorf("%d requests, %d logins", len(service.bodies), w.person.count())
			}
		})
	}
}

func TestAppHTTPClient_RedriveLoginFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.RedriveGAREs = true })
	service := newPicky(t, gareSession)
	client, err := user.HTTPClient(t.Context(), scopes.TransferResourceServer, service.host())
	if err != nil {
		t.Fatal(err)
	}
	w.person.refuse = errTest
	_, _, err = send(t, client, nil, service.URL)
	if !errors.Is(err, errTest) || !errors.Is(err, apierror.ErrAuthorizationRequired) || len(service.bodies) != 1 {
		t.Errorf("error %v, %d requests", err, len(service.bodies))
	}
}

// Any other 403 comes as it was.
func TestAppHTTPClient_OtherRefusals(t *testing.T) {
	t.Parallel()
	long := `{"code":"Forbidden","pad":"` + strings.Repeat("x", 2<<20) + `"}`
	for name, test := range map[string]struct{ refusal, content string }{
		"no requirement": {`{"code":"Forbidden","message":"no"}`, "application/json"},
		"HTML":           {gareSession, "text/html"},
		"empty":          {"", "application/json"},
		"not JSON":       {"{", "application/json"},
		"very long":      {long, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			service := newPicky(t, test.refusal)
			service.content = test.content
			client, err := w.user(t, func(c *app.Config) { c.RedriveGAREs = true }).HTTPClient(t.Context(), scopes.TransferResourceServer, service.host())
			if err != nil {
				t.Fatal(err)
			}
			text, status, err := send(t, client, nil, service.URL)
			if err != nil || status != http.StatusForbidden || text != test.refusal || w.person.count() != 1 {
				t.Errorf("%d bytes of %d, %d, %v, %d logins", len(text), len(test.refusal), status, err, w.person.count())
			}
		})
	}
}

// Many requests that are refused at once: one login for all.
func TestAppHTTPClient_ConcurrentRedrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.RedriveGAREs = true })
	first := token(t, user.Source(scopes.TransferResourceServer))
	service := newPicky(t, gareSession)
	var arrived sync.WaitGroup
	arrived.Add(8)
	w.person.hold = make(chan struct{})
	service.approved = func(token string) bool {
		if token == first.AccessToken {
			arrived.Done()
			return false
		}
		return true
	}
	client, err := user.HTTPClient(t.Context(), scopes.TransferResourceServer, service.host())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if text, _, err := send(t, client, nil, service.URL); err != nil || text != "welcome" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	arrived.Wait()
	close(w.person.hold)
	all.Wait()
	if w.person.count() != 2 {
		t.Errorf("%d logins", w.person.count())
	}
	client.CloseIdleConnections()
}
