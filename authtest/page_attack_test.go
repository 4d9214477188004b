package authtest_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/globusauth/globusauth/authtest"
)

func TestPages_Headers(t *testing.T) {
	t.Parallel()
	_, s := pages(t)
	for name, c := range map[string]struct {
		open       func(s *surfer) *surfer
		formAction string
	}{
		"login":     {func(s *surfer) *surfer { return s.authorize("openid") }, "form-action 'self' https: http:;"},
		"error":     {func(s *surfer) *surfer { return s.authorize("nonsense") }, "form-action 'self';"},
		"dashboard": {func(s *surfer) *surfer { return s.open("/") }, "form-action 'self';"},
		"code":      {func(s *surfer) *surfer { return s.open("/v2/web/auth-code?code=c") }, "form-action 'self';"},
		"logout":    {func(s *surfer) *surfer { return s.open("/v2/web/logout") }, "form-action 'self';"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.open(newSurfer(t, s.peer)).sees("Test double, not Globus")
			policy := s.header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none';", "style-src 'sha256-", c.formAction, "frame-ancestors 'none';", "base-uri 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("Content-Security-Policy = %q lacks %q", policy, want)
				}
			}
			for header, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "",
			} {
				if got := s.header.Get(header); got != want {
					t.Errorf("%s = %q, want %q", header, got, want)
				}
			}
			s.harmless()
			for _, cookie := range s.client.Jar.Cookies(s.at) {
				if cookie.Value == "" {
					t.Errorf("cookie %s is empty", cookie.Name)
				}
			}
			for _, line := range s.header.Values("Set-Cookie") {
				if !strings.Contains(line, "HttpOnly") || !strings.Contains(line, "SameSite=Lax") {
					t.Errorf("Set-Cookie: %s", line)
				}
			}
		})
	}
}

// harmless ends the test if the page could run or load anything.
func (s *surfer) harmless() *surfer {
	s.tb.Helper()
	for _, n := range s.elements(func(*html.Node) bool { return true }) {
		switch n.Data {
		case "script", "img", "iframe", "object", "embed", "svg", "base", "audio", "video":
			s.tb.Fatalf("the page has a %s element", n.Data)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" ||
				(a.Key == "href" || a.Key == "action") && strings.HasPrefix(value, "javascript:") {
				s.tb.Fatalf("the page has %s=%q at %s", a.Key, a.Val, n.Data)
			}
		}
	}
	return s
}

func TestPages_Escaping(t *testing.T) {
	t.Parallel()
	for name, evil := range map[string]string{
		"script":     `<script>alert(1)</script>`,
		"attribute":  `" autofocus onfocus="alert(1)`,
		"single":     `' onmouseover='alert(1)`,
		"image":      `<img src=x onerror=alert(1)>`,
		"closing":    `</title></style></textarea><script>alert(1)</script>`,
		"template":   `{{.FormToken}}${alert(1)}`,
		"comment":    `--><script>alert(1)</script><!--`,
		"javascript": `javascript:alert(1)`,
		"marks":      "\u202ealert\u0000\u0007<b>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := authtest.DefaultWorld()
			world.Providers = append(world.Providers, authtest.Provider{Name: evil, Domains: []string{"evil.example"}})
			p := newPeer(t, authtest.Config{World: &world})
			p.server.AddUser(authtest.User{Username: "eve@evil.example", Name: evil, Email: evil, Organization: evil})
			client := p.server.AddClient(authtest.Client{
				Name: evil, Type: "public_installed_client", TermsAndConditions: evil, PrivacyPolicy: "javascript:alert(1)",
				RedirectURIs: []string{"http://127.0.0.1:1/"},
				Scopes:       []authtest.Scope{{Suffix: "evil", Name: evil, Description: evil}},
			})
			policy := p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: evil, Description: evil})
			s := newSurfer(t, p)
			scope := client.Scopes[0].Scope
			if scope == "" {
				scope = "https://auth.globus.org/scopes/" + client.ID + "/evil"
			}
			asked := []string{
				"client_id", client.ID, "session_message", evil, "prefill_named_grant", evil, "state", evil,
				"session_required_policies", policy.ID, "login_hint", "eve@evil.example",
			}
			s.authorize(scope, asked...).harmless()
			s.press("Sign in", "username", evil).harmless()
			s.follow("Create a user").press("Create and sign in", "username", evil, "name", evil, "email", evil).harmless()
			s.authorize(scope, asked...).press("eve@evil.example").sees("It requests access to").harmless()
			s.follow("Link an identity").press("Link", "username", evil).harmless()
			s.authorize(scope, append(asked, "session_required_mfa", "true")...).harmless().press("eve@evil.example").harmless()
			s.authorize(scope, append(asked, "session_required_identities", "bob@example.edu")...).harmless()
			s.authorize(scope, asked...).press("Allow")
			if s.left == nil || s.left.Query().Get("state") != evil {
				t.Fatalf("the browser was sent to %v, want the state as it was", s.left)
			}
			s.open("/").sees("eve@evil.example").harmless()
			s.press("Inject the fault", "operation", evil, "client", evil).harmless()
			s.press("Inject the fault", "kind", evil).harmless()
			s.press("Advance", "by", evil).harmless()
			quoted := url.QueryEscape(evil)
			s.client.Transport = p.server.Client().Transport // the description forbids some of these
			for _, address := range []string{
				"/v2/web/auth-code?code=" + quoted, "/v2/web/auth-code?error=" + quoted + "&error_description=" + quoted,
				"/v2/web/logout?client=" + client.ID + "&redirect_uri=" + quoted + "&redirect_name=" + quoted,
				"/v2/web/logout?client=" + client.ID + "&redirect_uri=http://127.0.0.1:1/%22%3E%3Cscript%3E&redirect_name=" + quoted,
				"/?done=" + quoted, "/v2/oauth2/authorize?client_id=" + quoted, "/v2/oauth2/authorize?scope=" + quoted,
			} {
				s.open(address).harmless()
			}
			s.authorize(evil).harmless()
			s.authorize("openid", "session_required_identities", evil).harmless()
			s.authorize("openid", "redirect_uri", evil).harmless()
			s.authorize("openid", "authtest_page", evil, "authtest_provider", evil, "authtest_visit", evil).harmless()
		})
	}
}

func TestPages_FormsOfOtherOrigins(t *testing.T) {
	t.Parallel()
	attacks := map[string]func(victim *surfer, form url.Values, header http.Header){
		"no token":      func(_ *surfer, form url.Values, _ http.Header) { form.Del("form_token") },
		"unknown token": func(_ *surfer, form url.Values, _ http.Header) { form.Set("form_token", strings.Repeat("A", 43)) },
		"token of another browser": func(victim *surfer, form url.Values, _ http.Header) {
			_, other := newSurfer(victim.tb, victim.peer).authorize("openid").form("Sign in")
			form.Set("form_token", other.Get("form_token"))
		},
		"another site":   func(_ *surfer, _ url.Values, header http.Header) { header.Set("Sec-Fetch-Site", "cross-site") },
		"a sibling site": func(_ *surfer, _ url.Values, header http.Header) { header.Set("Sec-Fetch-Site", "same-site") },
		"another origin of an old browser": func(_ *surfer, _ url.Values, header http.Header) {
			header["Sec-Fetch-Site"] = nil
			header.Set("Origin", "https://evil.example")
		},
		"no origin": func(_ *surfer, _ url.Values, header http.Header) {
			header["Sec-Fetch-Site"] = nil
			header.Set("Origin", "null")
		},
		"no cookie": func(victim *surfer, _ url.Values, header http.Header) {
			victim.client.Jar = nil
			header.Set("Cookie", "")
		},
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for where, open := range map[string]func(s *surfer) (button string){
				"sign in":   func(s *surfer) string { s.authorize("openid"); return "Alice Adams" },
				"deny":      func(s *surfer) string { s.authorize("openid"); return "Cancel and return" },
				"allow":     func(s *surfer) string { s.authorize("openid").press("Alice Adams"); return "Allow" },
				"dashboard": func(s *surfer) string { s.open("/"); return "Advance" },
			} {
				p, s := pages(t)
				action, form := s.form(open(s))
				header := http.Header{}
				by := p.server.Now()
				attack(s, form, header)
				s.send(http.MethodPost, action, form, header)
				if s.status != http.StatusForbidden || s.left != nil {
					t.Errorf("%s: status = %d, left for %v; want 403", where, s.status, s.left)
					continue
				}
				s.sees("FORM_REFUSED")
				if p.server.Now().Sub(by) > time.Minute {
					t.Errorf("%s: it was done all the same", where)
				}
			}
		})
	}
}

func TestPages_ProgressBoundToBrowser(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	s.authorize("openid", "prompt", "login").press("Alice Adams").sees("Allow")
	progressed := s.at.String()
	s.open(progressed).sees("Allow")
	s.open(strings.Replace(progressed, "scope=openid", "scope=email", 1)).sees("Sign in", "Sign in again, even if")
	newSurfer(t, p).open(progressed).sees("Sign in", "Choose an identity")
	forged, err := url.Parse(progressed)
	if err != nil {
		t.Fatal(err)
	}
	query := forged.Query()
	payload, _, _ := strings.Cut(query.Get("authtest_visit"), ".")
	query.Set("authtest_visit", payload+"."+strings.Repeat("A", 43))
	forged.RawQuery = query.Encode()
	s.open(forged.String()).sees("Sign in", "Sign in again, even if")
}

// Only a browser that was shown the page can consent.
func TestPages_ConsentNeedsShownPage(t *testing.T) {
	t.Parallel()
	_, s := pages(t)
	s.authorize("openid").press("Alice Adams").sees("Allow")
	action, form := s.form("Allow")
	s.follow("Use another account").press("Bob Brown").sees("bob@example.edu")
	s.send(http.MethodPost, action, form, nil).sees("Another user has signed in meanwhile", "bob@example.edu")
	s.press("Allow").code()
}

// Without the emulator's page the reference is the description itself.
func TestReference_IsTheDescription(t *testing.T) {
	t.Parallel()
	p, _ := pages(t)
	want, err := os.ReadFile("../spec/auth.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.want(p.do("GET", "/_authtest/auth.openapi.yaml", "", nil), http.StatusOK).body; string(got) != string(want) {
		t.Error("the document that is served is not the one in spec")
	}
}
