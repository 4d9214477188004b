package authtest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

const dataAccess = "https://auth.globus.org/scopes/c0000000-0000-4000-8000-000000000001/data_access"

func TestPages_SignInAndConsent(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	scope := p.ready.DependentGrant.Scope
	s.authorize("openid "+scope, "prefill_named_grant", "my-tool on laptop").
		sees("Sign in", "Example command-line tool", "alice@example.edu", "linked to alice@example.edu", "bob@example.edu").
		press("bob@example.edu").
		sees("Allow Example command-line tool ?", "bob@example.edu", "Run jobs", "which requires", "Transfer and share files",
			"View your groups and memberships", "a program on this computer")
	_, form := s.form("Allow")
	if form.Get("label") != "my-tool on laptop" {
		t.Errorf("label = %q, want the suggested one", form.Get("label"))
	}
	response := p.want(p.exchange(s.press("Allow", "label", "my label").code()), http.StatusOK).json(t)
	active := p.introspect(text(token(t, response, p.ready.ConfidentialClientID), "access_token"))
	if active["username"] != "bob@example.edu" {
		t.Errorf("username = %v, want who signed in", active["username"])
	}
	newSurfer(t, p).open("/").sees("my label")
	// The browser remembers who signed in; a native client is confirmed each time.
	s.authorize("openid "+scope).sees("Allow Example command-line tool ?", "You have allowed all of this before").press("Allow").code()
}

func TestPages_ConsentIsStored(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	confidential := []string{"client_id", p.ready.ConfidentialClientID, "redirect_uri", p.ready.ConfidentialRedirectURI}
	s.authorize("openid", confidential...).press("Alice Adams").sees("Allow Example portal ?").press("Allow").code()
	s.authorize("openid", confidential...).code()
	s.authorize("openid email", confidential...).sees("Know your email address")
}

func TestPages_Deny(t *testing.T) {
	t.Parallel()
	for _, button := range []string{"Deny", "Cancel and return"} {
		t.Run(button, func(t *testing.T) {
			t.Parallel()
			_, s := pages(t)
			s.authorize("openid")
			if button == "Deny" {
				s.press("Alice Adams")
			}
			s.press(button)
			if s.left == nil || s.left.Query().Get("error") != "access_denied" || s.left.Query().Get("state") != "some state" {
				t.Errorf("the browser was sent to %v, want access_denied with the state", s.left)
			}
			if s.left.Query().Has("code") {
				t.Error("a code came with the denial")
			}
		})
	}
}

func TestPages_OptionalScopes(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	consented := func(fields ...string) []string {
		s.authorize("openid "+transferAll+"[*"+dataAccess+"]", "prompt", "login").press("Carol Clark").sees("optional")
		response := p.want(p.exchange(s.press("Allow", fields...).code()), http.StatusOK).json(t)
		info := p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(response, "access_token")), nil), http.StatusOK).json(t)
		list := p.want(p.do("GET", "/v2/api/identities/"+text(info, "sub")+"/consents", bearer(text(response, "access_token")), nil), http.StatusOK).json(t)
		var names []string
		for _, each := range list["consents"].([]any) {
			names = append(names, text(each.(map[string]any), "scope_name"))
		}
		slices.Sort(names)
		return names
	}
	if got, want := consented("optional", "-"), []string{"openid", transferAll}; !slices.Equal(got, want) {
		t.Errorf("consents = %q, want without the scope that was not ticked: %q", got, want)
	}
	if got, want := consented(), []string{dataAccess, "openid", transferAll}; !slices.Equal(got, want) {
		t.Errorf("consents = %q, want %q", got, want)
	}
}

func TestPages_CreateUser(t *testing.T) {
	t.Parallel()
	university := "d0000000-0000-4000-8000-000000000001"
	for name, c := range map[string]struct {
		fields []string
		want   string // on the page
	}{
		"whole":            {[]string{"username", "dana@example.edu", "name", "Dana Doe", "email", "dana@example.org"}, "dana@example.edu"},
		"provider's":       {[]string{"username", "dana", "identity_provider", university}, "dana@example.edu"},
		"unknown domain":   {[]string{"username", "dana@lab.example"}, "dana@lab.example lab.example"},
		"taken":            {[]string{"username", "ALICE@example.edu"}, "the username is taken"},
		"no domain":        {[]string{"username", "dana"}, "the username must be name@domain"},
		"another provider": {[]string{"username", "dana@globusid.org", "identity_provider", university}, "Example University has usernames of example.edu only"},
		"no provider":      {[]string{"username", "dana", "identity_provider", "nonsense"}, "There is no such identity provider"},
		"email":            {[]string{"username", "dana@example.edu", "email", "Dana <dana@example.edu>"}, "Enter a valid email address"},
		"too long":         {[]string{"username", strings.Repeat("d", 300) + "@example.edu"}, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := pages(t)
			s.authorize("openid").follow("Create a user").press("Create and sign in", c.fields...).sees(c.want)
			if refused := strings.Contains(c.want, " ") && name != "unknown domain"; refused != (s.status == http.StatusUnprocessableEntity) {
				t.Errorf("status = %d", s.status)
			}
			if s.status == http.StatusOK {
				s.sees("Allow Example command-line tool ?").press("Allow").code()
				return
			}
			if _, form := s.form("Create and sign in"); form.Get("username") != c.fields[1] {
				t.Errorf("what was typed is lost: %q", form)
			}
		})
	}
}

func TestPages_Providers(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	s.authorize("openid").follow("Globus ID").sees("carol@globusid.org").seesNot("bob@example.edu").
		press("Sign in", "username", "unknown@example.edu").sees("There is no user with this username").
		press("Sign in", "username", "BOB@example.edu").sees("Allow", "bob@example.edu")
	required := p.server.AddClient(authtest.Client{
		Name: "Campus only", Type: "public_installed_client", RequiredIDP: "41143743-f3c8-4d60-bbdb-eeecaba85bd9",
	})
	other := newSurfer(t, p).authorize("openid", "client_id", required.ID)
	other.sees("The application accepts only identities of Globus ID").seesNot("bob@example.edu")
	other.press("Sign in", "username", "bob@example.edu").sees("Another identity is needed", "REQUIRED_IDENTITY_MISSING")
	other.follow("Use another account").press("Sign in", "username", "alice@example.edu").
		sees("Sign in again", "alice@globusid.org").press("alice@globusid.org").
		sees("Allow", "alice@globusid.org").press("Allow").code()
}

func TestPages_LinkIdentity(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	s.authorize("openid urn:globus:auth:scope:auth.globus.org:view_identity_set").press("Bob Brown").
		follow("Link an identity").press("Carol Clark").sees("Allow", "bob@example.edu", "Also signed in: carol@globusid.org")
	s.follow("Link an identity").sees("Linked identities", "carol@globusid.org").follow("Create an identity to link").
		press("Create and link", "username", "bob@lab.example").sees("bob@lab.example")
	response := p.want(p.exchange(s.press("Allow").code()), http.StatusOK).json(t)
	info := p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(response, "access_token")), nil), http.StatusOK).json(t)
	if set, _ := info["identity_set"].([]any); len(set) != 3 {
		t.Errorf("identity_set = %v, want three", info["identity_set"])
	}
}

func TestPages_SecondFactor(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	scope := p.ready.DependentGrant.Scope
	amr := func() any {
		response := p.want(p.exchange(s.press("Allow").code()), http.StatusOK).json(t)
		info, _ := p.introspect(text(token(t, response, p.ready.ConfidentialClientID), "access_token"))["session_info"].(map[string]any)
		for _, authentication := range info["authentications"].(map[string]any) {
			return authentication.(map[string]any)["amr"]
		}
		return nil
	}
	s.authorize(scope).press("Alice Adams").sees("Allow")
	if got, _ := amr().([]any); len(got) != 1 {
		t.Errorf("amr = %v, want the password alone", got)
	}
	s.authorize(scope, "session_required_mfa", "True").
		sees("Sign in again", "A second factor is required").press("alice@example.edu").
		sees("Confirm your identity")
	s.authorize(scope, "session_required_mfa", "True").sees("Sign in again") // not confirmed: nothing changed
	s.press("alice@example.edu").press("Confirm the second factor").sees("Allow")
	if got, _ := amr().([]any); len(got) != 2 {
		t.Errorf("amr = %v, want a second factor", got)
	}
}

func TestPages_SessionRequirements(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more  []string
		steps func(p *peer, s *surfer)
	}{
		"identity": {[]string{"session_required_identities", "alice@globusid.org", "session_message", "Your campus account, please."}, func(_ *peer, s *surfer) {
			s.sees("says: Your campus account, please.", "The identity alice@globusid.org must be signed in").
				press("alice@example.edu Example").sees("Sign in again").press("alice@globusid.org").
				sees("Allow", "alice@example.edu", "Also signed in: alice@globusid.org")
		}},
		"identity of another": {[]string{"session_required_identities", "alice@globusid.org"}, func(_ *peer, s *surfer) {
			s.press("Bob Brown").sees("Another identity is needed", "REQUIRED_IDENTITY_MISSING", "not linked to bob@example.edu").
				follow("Use another account").press("alice@globusid.org").sees("Allow")
		}},
		"link what is missing": {[]string{"session_required_single_domain", "globusid.org"}, func(_ *peer, s *surfer) {
			s.press("Bob Brown").sees("bob@example.edu has none").follow("Link an identity").press("Carol Clark").
				sees("Allow", "bob@example.edu", "Also signed in: carol@globusid.org")
		}},
		"single domain": {[]string{"session_required_single_domain", "globusid.org,example.org"}, func(_ *peer, s *surfer) {
			s.sees("globusid.org or example.org").press("alice@example.edu Example").sees("Sign in again").press("alice@globusid.org").sees("Allow")
		}},
		"prompt and identity": {[]string{"session_required_identities", "alice@globusid.org", "prompt", "login"}, func(_ *peer, s *surfer) {
			address := s.at.String()
			for range 2 { // being signed in from the time before does not count
				s.open(address).press("alice@globusid.org").sees("Allow", "alice@globusid.org")
			}
			s.follow("Use another account").press("alice@example.edu Example").sees("Allow", "alice@example.edu")
			s.open(address).sees("Sign in again", "Sign in again, even if").press("alice@globusid.org").sees("Allow", "alice@example.edu")
		}},
		"prompt": {[]string{"prompt", "login"}, func(_ *peer, s *surfer) {
			address := s.at.String()
			s.sees("Sign in again, even if").press("Carol Clark").sees("Allow", "carol@globusid.org")
			s.open(address).sees("Sign in", "Sign in again, even if")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s := pages(t)
			c.steps(p, s.authorize("openid", c.more...))
		})
	}
}

func TestPages_PolicyTimeout(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	scope, policy := p.ready.DependentGrant.Scope, []string{"session_required_policies", p.ready.PolicyID}
	s.authorize(scope).press("Alice Adams").sees("Allow")
	s.authorize(scope, policy...).sees("Allow")
	p.server.Advance(time.Hour + time.Second)
	s.authorize(scope, policy...).sees("Sign in again", "within the last 1 hour", "the identity that the application will see").press("alice@example.edu")
	response := p.want(p.exchange(s.press("Allow").code()), http.StatusOK).json(t)
	evaluations, _ := p.introspect(text(token(t, response, p.ready.ConfidentialClientID), "access_token"))["policy_evaluations"].(map[string]any)
	if got, _ := evaluations[p.ready.PolicyID].(map[string]any); got["evaluation"] != true {
		t.Errorf("policy_evaluations = %v, want the new login to meet the policy", evaluations)
	}
}

func TestPages_ExcludedIdentity(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	policy := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "Not Globus ID", Exclude: []string{"globusid.org"}})
	s.authorize("openid").press("Alice Adams").sees("Allow")
	s.authorize("openid", "session_required_identities", "alice@globusid.org").press("alice@globusid.org").sees("Allow")
	s.authorize("openid", "session_required_policies", policy.ID).sees("An identity is not allowed here").
		press("Sign out and in again").sees("Sign in").press("alice@example.edu").sees("Allow").press("Allow").code()
}

func TestPages_PromptNone(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	silent := func(wantError string) {
		t.Helper()
		s.authorize("openid", "client_id", p.ready.ConfidentialClientID, "redirect_uri", p.ready.ConfidentialRedirectURI, "prompt", "none")
		if s.left == nil || s.left.Query().Get("error") != wantError {
			t.Fatalf("the browser was sent to %v, want error %q", s.left, wantError)
		}
	}
	silent("login_required")
	s.authorize("openid").press("Alice Adams").sees("Allow")
	silent("consent_required")
	s.authorize("openid", "client_id", p.ready.ConfidentialClientID, "redirect_uri", p.ready.ConfidentialRedirectURI).press("Allow").code()
	silent("")
	s.code()
}

func TestPages_Errors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scope string
		more  []string
		want  []string
	}{
		"client":   {"openid", []string{"client_id", "00000000-0000-4000-8000-00000000dead"}, []string{"OAUTH_AUTH_REQUEST_FAILURE", "No client has the ID"}},
		"redirect": {"openid", []string{"redirect_uri", "https://elsewhere.example/"}, []string{"OAUTH_AUTH_REQUEST_FAILURE", "is not registered"}},
		"scope":    {"openid nonsense", nil, []string{"UNKNOWN_SCOPE_ERROR", "requested unknown scopes: [nonsense]"}},
		"identity": {"openid", []string{"session_required_identities", "unknown@example.edu"}, []string{"REQUIRED_IDENTITY_MISSING", "unknown@example.edu"}},
		"missing":  {"openid", []string{"client_id", ""}, []string{"OAUTH_AUTH_REQUEST_FAILURE", "client_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := pages(t)
			if s.authorize(c.scope, c.more...).sees(c.want...); s.status != http.StatusBadRequest {
				t.Errorf("status = %d, want 400", s.status)
			}
		})
	}
}

func TestPages_Code(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	shown := strings.TrimSuffix(p.server.BaseURL(), "/") + "/v2/web/auth-code"
	s.authorize("openid", "redirect_uri", shown, "prefill_named_grant", "tool on laptop").press("Alice Adams").press("Allow").
		sees("Your authorization code", "for Example command-line tool , as alice@example.edu", "tool on laptop", "valid once")
	code := s.at.Query().Get("code")
	s.sees(code)
	if got := s.header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy = %q: the address holds the code", got)
	}
	address := s.at.String()
	p.want(p.do("POST", "/v2/oauth2/token", "", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {p.ready.NativeClientID}, "code": {code},
		"code_verifier": {verifier}, "redirect_uri": {shown},
	}), http.StatusOK)
	s.open(address).sees("This code was already used")
	s.open("/v2/web/auth-code?code=made-up").sees("made-up", "This server did not issue this code")
	s.open("/v2/web/auth-code?error=access_denied&error_description=No.").sees("access_denied", "No.")
	if s.open("/v2/web/auth-code").sees("parameter code is missing"); s.status != http.StatusBadRequest {
		t.Errorf("status without a code = %d, want 400", s.status)
	}
	s.authorize("openid", "redirect_uri", shown).press("Deny").sees("No authorization code", "access_denied")
}

func TestPages_Logout(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	s.authorize("openid").press("Alice Adams").sees("Allow")
	s.open("/v2/web/logout").sees("alice@example.edu is signed out of this browser")
	s.open("/v2/web/logout").sees("No user was signed in")
	s.authorize("openid").sees("Choose an identity")
	for name, c := range map[string]struct {
		client, uri string
		linked      bool
	}{
		"registered":    {p.ready.ConfidentialClientID, p.ready.ConfidentialRedirectURI, true},
		"front page":    {p.ready.ConfidentialClientID, "http://127.0.0.1:8000/", true},
		"another port":  {p.ready.ConfidentialClientID, "http://127.0.0.1:8001/", false},
		"elsewhere":     {p.ready.ConfidentialClientID, "https://evil.example/", false},
		"user":          {p.ready.ConfidentialClientID, "http://127.0.0.1:8000@evil.example/", false},
		"script":        {p.ready.ConfidentialClientID, "javascript:alert(1)", false},
		"no scheme":     {p.ready.ConfidentialClientID, "//127.0.0.1:8000/", false},
		"no client":     {"", "http://127.0.0.1:8000/", false},
		"native":        {p.ready.NativeClientID, "http://127.0.0.1:5555/done", true},
		"native abroad": {p.ready.NativeClientID, "https://evil.example/", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSurfer(t, p)
			query := url.Values{"redirect_uri": {c.uri}, "redirect_name": {"the portal"}}
			if c.client != "" {
				query.Set("client", c.client)
			}
			s.client.Transport = p.server.Client().Transport // some of these are no URIs, and that is the point
			s.open("/v2/web/logout?" + query.Encode()).sees("You are signed out")
			if got := strings.Contains(textOf(s.doc), "Return to the portal"); got != c.linked {
				t.Errorf("link back to %s: %t, want %t", c.uri, got, c.linked)
			}
			if !c.linked {
				s.sees("so it is not linked")
			}
		})
	}
}
