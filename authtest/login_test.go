package authtest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

func TestAuthorize_Errors(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	confidential := []string{"client_id", p.ready.ConfidentialClientID, "code_challenge", "", "code_challenge_method", ""}
	for _, test := range []struct {
		name   string
		scope  string
		change []string
		page   string // on a page, and nothing is sent to the redirect URI
		errors string // in the redirect
	}{
		{"unknown client", "openid", []string{"client_id", "00000000-0000-4000-8000-000000000000"}, "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"no client", "openid", []string{"client_id", ""}, "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"redirect elsewhere", "openid", []string{"redirect_uri", "https://evil.example.org/"}, "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"loopback look-alike", "openid", []string{"redirect_uri", "http://127.0.0.1.evil.example.org/"}, "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"user in the redirect URI", "openid", []string{"redirect_uri", "http://evil@127.0.0.1/"}, "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"loopback of a confidential client", "openid", append(confidential, "redirect_uri", "http://127.0.0.1:1/"), "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"longer than the registered one", "openid", append(confidential, "redirect_uri", p.ready.ConfidentialRedirectURI+"/x"), "OAUTH_AUTH_REQUEST_FAILURE", ""},
		{"unknown scope", "openid nonsense", nil, "UNKNOWN_SCOPE_ERROR", ""},
		{"unknown dependency", transferAll + "[nonsense]", nil, "UNKNOWN_SCOPE_ERROR", ""},
		{"broken scope", "openid[", nil, "", "invalid_scope"},
		{"no scope", "offline_access", nil, "", "invalid_scope"},
		{"implicit", "openid", []string{"response_type", "token"}, "", "unsupported_response_type"},
		{"no challenge", "openid", []string{"code_challenge", "", "code_challenge_method", ""}, "", "invalid_request"},
		{"plain challenge", "openid", []string{"code_challenge_method", "plain"}, "", "invalid_request"},
		{"short challenge", "openid", []string{"code_challenge", "abc"}, "", "invalid_request"},
		{"unknown identity", "openid", []string{"session_required_identities", "unknown@example.edu"}, "REQUIRED_IDENTITY_MISSING", ""},
		{"identity of another", "openid", []string{"session_required_identities", "bob@example.edu", "login_hint", "alice@example.edu"}, "REQUIRED_IDENTITY_MISSING", ""},
		{"domain without identity", "openid", []string{"session_required_single_domain", "example.com"}, "REQUIRED_IDENTITY_MISSING", ""},
		{"unknown policy", "openid", []string{"session_required_policies", "00000000-0000-4000-8000-000000000000"}, "OAUTH_AUTH_REQUEST_FAILURE", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := p.do("GET", "/v2/oauth2/authorize?"+p.authorizeQuery(test.scope, test.change...).Encode(), "", nil)
			if test.page != "" {
				if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), test.page) || a.header.Get("Location") != "" {
					t.Errorf("status %d, Location %q, %s; want a page with %s", a.status, a.header.Get("Location"), a.body, test.page)
				}
				return
			}
			location, err := url.Parse(a.header.Get("Location"))
			if err != nil || location.Query().Get("error") != test.errors || location.Query().Get("state") != "some state" {
				t.Errorf("status %d, Location %q; want the error %s and the state", a.status, location, test.errors)
			}
		})
	}
}

// A hint is no requirement: a page asks who it is, also where none is shown otherwise.
func TestAuthorize_UnknownLoginHintShowsTheLoginPage(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	a := p.do("GET", "/v2/oauth2/authorize?"+p.authorizeQuery("openid", "login_hint", "unknown@example.edu").Encode(), "", nil)
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `value="unknown@example.edu"`) {
		t.Errorf("status %d, want the login page with the hint: %s", a.status, a.body)
	}
	back := p.callback(p.authorizeQuery("openid", "login_hint", "unknown@example.edu", "prompt", "none"))
	if back.Get("error") != "login_required" {
		t.Errorf("with prompt=none: %v, want login_required", back)
	}
}

// A scope string with {uuid} stands for any resource server.
func TestScopePattern_RegistersTheResourceServerThatIsAskedFor(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	p.server.AddClient(authtest.Client{Name: "Instrument", Scopes: []authtest.Scope{
		{Scope: "https://auth.globus.org/scopes/{uuid}/read_{uuid_}"}, {Scope: "https://auth.globus.org/scopes/{uuid}/write"},
	}})
	const id = "12345678-1234-4234-8234-123456789abc"
	known := []string{
		"https://auth.globus.org/scopes/" + id + "/read_12345678_1234_4234_8234_123456789abc", "https://auth.globus.org/scopes/" + id + "/write",
	}
	token := p.login(strings.Join(known, " "))
	if text(token, "resource_server") != id || text(token, "scope") != strings.Join(known, " ") {
		t.Errorf("resource_server %v, scope %v", token["resource_server"], token["scope"])
	}
	for _, unknown := range []string{
		"https://auth.globus.org/scopes/{uuid}/write",
		"https://auth.globus.org/scopes/" + id + "/data_access", // the server is there, and has no such scope
		"https://auth.globus.org/scopes/12345678-1234-4234-8234-123456789ABC/write",
		"https://auth.globus.org/scopes/22345678-1234-4234-8234-123456789abc/read_12345678_1234_4234_8234_123456789abc",
		"https://auth.globus.org/scopes/" + p.ready.ConfidentialClientID + "/write",
	} {
		a := p.do("GET", "/v2/oauth2/authorize?"+p.authorizeQuery(unknown).Encode(), "", nil)
		if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "UNKNOWN_SCOPE_ERROR") {
			t.Errorf("%s: status %d, want an unknown scope", unknown, a.status)
		}
	}
	restored := authtest.NewWith(t, authtest.Config{World: new(p.server.Snapshot())})
	if issued := restored.Issue(authtest.Grant{User: "alice@example.edu", Client: p.ready.NativeClientID, Scopes: known}); len(issued) != 1 {
		t.Errorf("after a restart %d tokens, want 1", len(issued))
	}
}

func TestAuthorize_RedirectURIs(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	for _, uri := range []string{
		"http://127.0.0.1:1", "http://localhost:65000/a/b", "http://[::1]:8080/x", p.server.BaseURL() + "v2/web/auth-code",
	} {
		if got := p.callback(p.authorizeQuery("openid", "redirect_uri", uri)); got.Get("code") == "" || got.Get("state") != "some state" {
			t.Errorf("%s: came back with %v", uri, got)
		}
	}
	query := p.callback(url.Values{
		"client_id": {p.ready.ConfidentialClientID}, "redirect_uri": {p.ready.ConfidentialRedirectURI},
		"scope": {"openid"}, "response_type": {"code"},
	})
	code := url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {p.ready.ConfidentialRedirectURI}}
	p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), code), 200)
}

func TestToken_CodeErrors(t *testing.T) {
	t.Parallel()
	form := func(p *peer, code string, change ...string) url.Values {
		form := url.Values{
			"grant_type": {"authorization_code"}, "client_id": {p.ready.NativeClientID}, "code": {code},
			"code_verifier": {verifier}, "redirect_uri": {loopback},
		}
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		return form
	}
	for name, change := range map[string][]string{
		"wrong verifier":       {"code_verifier", strings.Repeat("x", 43)},
		"no verifier":          {"code_verifier", ""},
		"another redirect URI": {"redirect_uri", loopback + "/"},
		"unknown code":         {"code", "fake-code-x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, authtest.Config{})
			code := p.callback(p.authorizeQuery("openid")).Get("code")
			a := p.do("POST", "/v2/oauth2/token", "", form(p, code, change...))
			if a.status != 400 || string(a.body) != `{"error":"invalid_grant"}` {
				t.Errorf("status %d %s, want 400 and invalid_grant", a.status, a.body)
			}
			if p.exchange(code); p.server.Stats().Grants["authorization_code"]["invalid_grant"] != 1 {
				t.Errorf("statistics = %v", p.server.Stats().Grants)
			}
		})
	}
	t.Run("another client's", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, authtest.Config{})
		code := p.callback(p.authorizeQuery("openid")).Get("code")
		other := form(p, code)
		other.Del("client_id")
		p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), other), 400)
		p.want(p.exchange(code), 200)
	})
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, authtest.Config{})
		code := p.callback(p.authorizeQuery("openid")).Get("code")
		p.server.Advance(10 * time.Minute)
		p.want(p.exchange(code), 400)
	})
	t.Run("short verifier", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, authtest.Config{})
		hash := sha256.Sum256([]byte("short"))
		code := p.callback(p.authorizeQuery("openid", "code_challenge", base64.RawURLEncoding.EncodeToString(hash[:]))).Get("code")
		p.want(p.do("POST", "/v2/oauth2/token", "", form(p, code, "code_verifier", "short")), 400)
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, authtest.Config{})
		code := p.callback(p.authorizeQuery("openid")).Get("code")
		first := p.want(p.exchange(code), 200).json(t)
		userinfo := func() int {
			return p.do("GET", "/v2/oauth2/userinfo", bearer(text(first, "access_token")), nil).status
		}
		if got := userinfo(); got != 200 {
			t.Fatalf("userinfo = %d before the second use", got)
		}
		p.want(p.exchange(code), 400)
		if got := userinfo(); got != 401 {
			t.Errorf("userinfo = %d after the second use of the code, want 401: its tokens must be revoked", got)
		}
	})
}

// introspected returns what the confidential client learns about a token.
func (p *peer) introspected(token, policies string) map[string]any {
	p.tb.Helper()
	return p.want(p.do("POST", "/v2/oauth2/token/introspect", p.confidential(), url.Values{
		"token": {token}, "include": {"session_info"}, "authentication_policies": {policies},
	}), 200).json(p.tb)
}

// Globus' command-line client revokes what it gets when a session update changes the
// subject.
func TestServer_SessionRequirementsKeepTheSubject(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	linked := authtest.Policy{Project: p.ready.ProjectID, Name: "linked", Include: []string{"globusid.org"}}
	policy := p.server.AddPolicy(linked)
	linked.HighAssurance = true
	assured := p.server.AddPolicy(linked)
	alice, other := p.ready.Users[0].IdentityID, "f0000000-0000-4000-8000-000000000011"
	for _, test := range []struct{ parameter, value, want string }{
		{"session_required_identities", other, alice},
		{"session_required_identities", other + "," + alice, alice},
		{"session_required_single_domain", "globusid.org", alice},
		{"session_required_policies", policy.ID, alice},
		{"session_required_policies", assured.ID, other},
	} {
		got := p.introspected(text(p.login(p.ready.DependentGrant.Scope, test.parameter, test.value), "access_token"), "")
		if got["sub"] != test.want || inner(t, inner(t, got, "session_info"), "authentications")[other] == nil {
			t.Errorf("%s=%s: got %v, want the subject %s and %s in session", test.parameter, test.value, got, test.want, other)
		}
	}
}

func TestAuthorize_SessionRequirements(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	linked := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "only globusid", Include: []string{"*.globusid.org", "globusid.org"}})
	mfa := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "second factor", HighAssurance: true, RequiredMFA: true})
	excluded := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "no example.edu", Exclude: []string{"example.edu"}})
	login := func(more ...string) (authentications, policies map[string]any) {
		response := p.login(p.ready.DependentGrant.Scope, more...)
		document := p.introspected(text(response, "access_token"), linked.ID+","+mfa.ID+","+excluded.ID)
		info := inner(t, document, "session_info")
		return inner(t, info, "authentications"), inner(t, document, "policy_evaluations")
	}
	met := func(policies map[string]any, id string) bool {
		evaluation, _ := policies[id].(map[string]any)
		return evaluation["evaluation"] == true
	}
	alice, other := p.ready.Users[0].IdentityID, "f0000000-0000-4000-8000-000000000011"

	authentications, policies := login()
	if len(authentications) != 1 || authentications[alice] == nil {
		t.Errorf("plain login: authentications = %v", authentications)
	}
	if met(policies, linked.ID) || met(policies, mfa.ID) || met(policies, excluded.ID) {
		t.Errorf("plain login meets a policy: %v", policies)
	}
	if authentications, _ = login("session_required_identities", "urn:globus:auth:identity:"+other+","+alice); len(authentications) != 2 {
		t.Errorf("required identities: authentications = %v, want both", authentications)
	}
	if authentications, _ = login("session_required_single_domain", "nowhere.org,globusid.org"); authentications[other] == nil {
		t.Errorf("required domain: authentications = %v", authentications)
	}
	if _, policies = login("session_required_policies", linked.ID+","+mfa.ID); !met(policies, linked.ID) || !met(policies, mfa.ID) {
		t.Errorf("required policies are not met: %v", policies)
	}
	if authentications, _ = login("session_required_mfa", "True"); !strings.Contains(text(authentications[alice].(map[string]any), "amr"), "mfa") {
		t.Errorf("required MFA: authentications = %v", authentications)
	}
	if _, policies = login("session_required_policies", excluded.ID); !met(policies, excluded.ID) {
		t.Errorf("an excluded domain, and the person has another identity: %v", policies)
	}
	a := p.do("GET", "/v2/oauth2/authorize?"+p.authorizeQuery("openid", "session_required_policies", excluded.ID, "login_hint", "bob@example.edu").Encode(), "", nil)
	if a.status != 400 || !strings.Contains(string(a.body), "REQUIRED_IDENTITY_MISSING") {
		t.Errorf("an excluded domain, and the person has no other: %d %s", a.status, a.body)
	}
	if _, policies = login("session_required_policies", excluded.ID, "login_hint", "alice@globusid.org"); !met(policies, excluded.ID) {
		t.Errorf("with an identity of another domain: %v", policies)
	}
}

func TestAuthorize_SessionCookie(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	var cookie string
	identity := p.ready.Users[0].IdentityID // whose sign-in is looked at
	login := func(more ...string) float64 {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), "GET", p.server.BaseURL()+"v2/oauth2/authorize?"+p.authorizeQuery(p.ready.DependentGrant.Scope, more...).Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if cookie != "" {
			request.Header.Set("Cookie", cookie)
		}
		response, err := p.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // It is empty.
		for _, set := range response.Cookies() {
			cookie = set.Name + "=" + set.Value
			if !set.HttpOnly || set.SameSite != http.SameSiteLaxMode {
				t.Errorf("cookie %s lacks HttpOnly or SameSite", set.Name)
			}
		}
		location, err := response.Location()
		if err != nil {
			t.Fatal(err)
		}
		tokens := p.want(p.exchange(location.Query().Get("code")), 200).json(t)
		document := p.introspected(text(tokens, "access_token"), "")
		if strings.Contains(cookie, text(inner(t, document, "session_info"), "session_id")) {
			t.Error("introspection discloses the session cookie")
		}
		authentications := inner(t, inner(t, document, "session_info"), "authentications")
		at, _ := inner(t, authentications, identity)["auth_time"].(float64)
		return at
	}
	first := login()
	p.server.Advance(10 * time.Minute)
	if got := login(); got != first {
		t.Errorf("auth_time moved by %v s although the browser was signed in", got-first)
	}
	if got := login("prompt", "login"); got-first < 599 {
		t.Errorf("auth_time moved by %v s with prompt=login, want 600", got-first)
	}
	p.server.Advance(10 * time.Minute)
	identity = "f0000000-0000-4000-8000-000000000011"
	linked := login("login_hint", "alice@example.edu", "session_required_identities", identity)
	p.server.Advance(10 * time.Minute)
	if got := login("login_hint", "alice@example.edu", "session_required_identities", identity); got != linked {
		t.Errorf("auth_time of the linked identity moved by %v s although it was signed in", got-linked)
	}
	if got := login("login_hint", "alice@example.edu", "session_required_identities", identity, "prompt", "login"); got-linked < 599 {
		t.Errorf("auth_time of the linked identity moved by %v s with prompt=login, want 600", got-linked)
	}
}

func TestIntrospect_HighAssurancePolicies(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	minute := 60
	plain := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "plain", Timeout: &minute})
	high := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "the identity itself", Timeout: &minute, HighAssurance: true})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.http.Jar = jar
	p.login("openid")
	p.server.Advance(2 * time.Minute)
	login := p.login(p.ready.DependentGrant.Scope, "login_hint", "alice@example.edu", "session_required_identities", "alice@globusid.org")
	evaluations := inner(t, p.introspected(text(login, "access_token"), plain.ID+","+high.ID), "policy_evaluations")
	if inner(t, evaluations, plain.ID)["evaluation"] != true || inner(t, evaluations, high.ID)["evaluation"] != false {
		t.Errorf("a linked identity is fresh, the token's own is not: %v", evaluations)
	}
}

func TestAuthorize_RequiredProviderAndDomain(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	client := p.server.AddClient(authtest.Client{Name: "picky", RequiredIDP: "41143743-f3c8-4d60-bbdb-eeecaba85bd9", Scopes: []authtest.Scope{{Suffix: "x", RequiredDomains: []string{"example.edu"}}}})
	response := func(hint string) result {
		return p.do("GET", "/v2/oauth2/authorize?"+p.authorizeQuery(client.Scopes[0].Scope+" openid", "client_id", client.ID, "login_hint", hint).Encode(), "", nil)
	}
	code, err := url.Parse(response("alice@example.edu").header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	document := p.want(p.do("POST", "/v2/oauth2/token", "", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client.ID}, "code": {code.Query().Get("code")},
		"code_verifier": {verifier}, "redirect_uri": {loopback},
	}), 200).json(t)
	info := p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(document, "access_token")), nil), 200).json(t)
	if info["sub"] != "f0000000-0000-4000-8000-000000000011" {
		t.Errorf("sub = %v, want the identity of the required provider", info["sub"])
	}
	for hint, reason := range map[string]string{"bob@example.edu": "another provider", "carol@globusid.org": "needs an identity of example.edu"} {
		if a := response(hint); a.status != 400 || !strings.Contains(string(a.body), reason) {
			t.Errorf("%s: status %d %s, want a page that says %q", hint, a.status, a.body, reason)
		}
	}
}
