package authtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

// watched is a test that notes how it would have ended.
type watched struct {
	testing.TB

	failures []string
}

func (w *watched) Helper() {}

func (w *watched) Fatal(args ...any) { w.failures = append(w.failures, fmt.Sprint(args...)) }

func (w *watched) Fatalf(format string, args ...any) {
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

// failed returns what went wrong since the last time.
func (w *watched) failed() string {
	failures := strings.Join(w.failures, "\n")
	w.failures = nil
	return failures
}

func TestServerAssertRequested_Failures(t *testing.T) {
	t.Parallel()
	w := &watched{TB: t}
	p := newPeer(w, authtest.Config{})
	p.login("openid")
	p.server.AssertRequested(authtest.Request{Operation: "token", Status: 200, Form: url.Values{"redirect_uri": {loopback}}})
	p.server.AssertRequested(authtest.Request{Header: http.Header{"Accept": {"application/json"}}, Query: url.Values{"scope": {"openid"}}})
	if got := w.failed(); got != "" {
		t.Errorf("assertions that hold failed: %s", got)
	}
	for name, test := range map[string]struct {
		assert func()
		reason string
	}{
		"order":     {func() { p.server.AssertOperations("token", "authorize") }, `are ["authorize" "token"], want ["token" "authorize"]`},
		"too many":  {func() { p.server.AssertOperations("authorize") }, `are ["authorize" "token"], want ["authorize"]`},
		"operation": {func() { p.server.AssertRequested(authtest.Request{Operation: "revoke"}) }, `only of ["authorize" "token"]`},
		"form": {func() {
			p.server.AssertRequested(authtest.Request{Operation: "token", Form: url.Values{"redirect_uri": {"x"}}})
		}, `form redirect_uri is ["` + loopback + `"], want ["x"]`},
		"status": {func() { p.server.AssertRequested(authtest.Request{Operation: "token", Status: 400}) }, "status is 200, want 400"},
	} {
		test.assert()
		if got := w.failed(); !strings.Contains(got, test.reason) {
			t.Errorf("%s: failed with %q, want %q in it", name, got, test.reason)
		}
	}
}

func TestServerHelpers_MistakesEndTheTest(t *testing.T) {
	t.Parallel()
	w := &watched{TB: t}
	s := authtest.New(w)
	for name, test := range map[string]struct {
		mistake func()
		reason  string
	}{
		"user":    {func() { s.AddUser(authtest.User{Username: "bob@example.edu"}) }, "the username is taken"},
		"client":  {func() { s.AddClient(authtest.Client{}) }, "name is required, without line breaks"},
		"policy":  {func() { s.AddPolicy(authtest.Policy{Name: "x"}) }, "there is no project"},
		"fault":   {func() { s.Inject(authtest.Fault{Kind: authtest.FaultLatency}) }, "needs a positive latency"},
		"link":    {func() { s.Link("bob@example.edu", "unknown") }, "both must be users"},
		"consent": {func() { s.RevokeConsents("unknown") }, "there is no user"},
		"issue":   {func() { s.Issue(authtest.Grant{Client: s.Ready().NativeClientID, Scopes: []string{"x"}}) }, `unknown are ["x"]`},
	} {
		test.mistake()
		if got := w.failed(); !strings.Contains(got, test.reason) {
			t.Errorf("%s: failed with %q, want %q in it", name, got, test.reason)
		}
	}
}

func TestNewServer_InvalidConfig(t *testing.T) {
	t.Parallel()
	for reason, config := range map[string]authtest.Config{
		"at least one second":       {AccessTokenLifetime: time.Millisecond},
		"RefreshTokenGrace must":    {RefreshTokenGrace: -1},
		"use auto, page or nothing": {Login: "yes"},
		"must not be negative":      {MaxTokens: -1},
		"http or https URL":         {BaseURL: "localhost"},
		"must not have a path":      {BaseURL: "http://localhost/auth"},
	} {
		if _, err := authtest.NewServer(config); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error = %v, want one with %q", err, reason)
		}
	}
}

func TestServerLogin_Errors(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	address := p.server.BaseURL() + "v2/oauth2/authorize?" + p.authorizeQuery("openid").Encode()
	callback, err := p.server.Login(t.Context(), "carol@globusid.org", address)
	if err != nil {
		t.Fatal(err)
	}
	login := p.want(p.exchange(callback.Query().Get("code")), 200).json(t)
	info := p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(login, "access_token")), nil), 200).json(t)
	if info["sub"] != p.ready.Users[2].IdentityID {
		t.Errorf("sub = %v, want carol", info["sub"])
	}
	if _, err := p.server.Login(t.Context(), "unknown@example.edu", address); err == nil || !strings.Contains(err.Error(), `no user "unknown@example.edu"`) {
		t.Errorf("error = %v, want one that names the user", err)
	}
	p.server.Link("carol@globusid.org", "bob@example.edu")
	if _, err := p.server.Login(t.Context(), "carol@globusid.org", address+"&session_required_identities=bob%40example.edu"); err != nil {
		t.Errorf("with a linked identity: %v", err)
	}
}

func TestAuthorize_IncludeConsentedScopes(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	p.login(transferAll)
	code := p.callback(p.authorizeQuery("openid")).Get("code")
	login := p.want(p.do("POST", "/v2/oauth2/token?include_consented_scopes=true", "", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {p.ready.NativeClientID}, "code": {code},
		"code_verifier": {verifier}, "redirect_uri": {loopback},
	}), 200).json(t)
	if token(t, login, "transfer.api.globus.org")["scope"] != transferAll {
		t.Errorf("response = %v", login)
	}
}

// FuzzHandler sends anything to the server, which must neither fall over nor
// response with another error.
func FuzzHandler(f *testing.F) {
	s, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		f.Fatal(err)
	}
	ready := s.Ready()
	issued := s.Issue(authtest.Grant{User: ready.Users[0].Username, Client: ready.NativeClientID, Scopes: []string{"openid", manage}})
	f.Add("GET", "/v2/oauth2/authorize?client_id="+ready.NativeClientID+"&redirect_uri=http://localhost&response_type=code&scope=a[b", "")
	f.Add("POST", "/v2/oauth2/token", "grant_type=client_credentials&scope=openid")
	f.Add("POST", "/v2/oauth2/token/introspect", "token=x&include=a&include=b,c")
	f.Add("GET", "/v2/api/identities?ids=a,b&provision=maybe", "")
	f.Add("POST", "/v2/api/clients", `{"client":{"name":null,"links":{}}}`)
	f.Add("PUT", "/v2/api/projects/"+ready.ProjectID, `{"project":{"admin_ids":null}}`)
	f.Add("PUT", "/v2/api/policies/"+ready.PolicyID, `{"policy":{"domain_constraints_include":["[",""]}}`)
	f.Add("POST", "/_authtest/faults", `{"kind":"status"}`)
	f.Add("OPTIONS", "/v2/oauth2/token", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(parsed.Path, "/_authtest/") {
			return
		}
		for _, authorization := range []string{"", bearer(issued[0].AccessToken), basic(ready.ConfidentialClientID, ready.ConfidentialClientSecret)} {
			request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+target, strings.NewReader(body))
			if err != nil {
				return
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if strings.HasPrefix(body, "{") {
				request.Header.Set("Content-Type", "application/json")
			}
			if authorization != "" {
				request.Header.Set("Authorization", authorization)
			}
			response := httptest.NewRecorder()
			s.Handler().ServeHTTP(response, request)
			if response.Code >= 500 {
				t.Errorf("%s %s: status %d %s", method, target, response.Code, response.Body)
			}
		}
	})
}
