package guard_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/guard"
)

// check sends a request of a proxy to the guard.
func check(tb testing.TB, handler http.Handler, path string, header http.Header) (status int, response http.Header) {
	tb.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, http.NoBody)
	maps.Copy(request.Header, header)
	handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Header()
}

// TestGuardForwardAuth_TrustsOneProxy sends the headers of other proxies, which a client may have made, for a route
// without rules beside those of a protected route.
func TestGuardForwardAuth_TrustsOneProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := map[string]string{}
	for _, name := range []string{
		"X-Original-Method", "X-Original-Uri", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Prefix",
		"x-original-uri", "X_Original_Uri", "X_Forwarded_Uri",
	} {
		open[name] = "/open"
		if strings.HasSuffix(name, "Method") {
			open[name] = "GET"
		}
	}
	for proxy, names := range map[string][2]string{
		"nginx":   {"X-Original-Method", "X-Original-Uri"},
		"traefik": {"X-Forwarded-Method", "X-Forwarded-Uri"},
		"caddy":   {"X-Forwarded-Method", "X-Forwarded-Uri"},
	} {
		handler := w.guard(t, "forward_auth: "+proxy+"\nroutes: [{pattern: GET /open, optional: true}, {pattern: /admin/}]\n").Handler()
		all := http.Header{}
		for name, value := range open {
			all[name] = []string{value}
		}
		set := func(method, uri []string) http.Header {
			header := maps.Clone(all)
			delete(header, names[0])
			delete(header, names[1])
			if method != nil {
				header[names[0]] = method
			}
			if uri != nil {
				header[names[1]] = uri
			}
			return header
		}
		for name, test := range map[string]struct {
			header http.Header
			status int
		}{
			"open":             {set([]string{"GET"}, []string{"/open"}), 200},
			"protected":        {set([]string{"GET"}, []string{"/admin/"}), 401},
			"another method":   {set([]string{"POST"}, []string{"/open"}), 403},
			"no URI":           {set([]string{"GET"}, nil), 500},
			"no method":        {set(nil, []string{"/open"}), 500},
			"neither":          {set(nil, nil), 500},
			"two URIs":         {set([]string{"GET"}, []string{"/open", "/admin/"}), 500},
			"two methods":      {set([]string{"GET", "POST"}, []string{"/open"}), 500},
			"empty URI":        {set([]string{"GET"}, []string{""}), 400},
			"list in a header": {set([]string{"GET"}, []string{"/open, /admin/"}), 403},
		} {
			if status, _ := check(t, handler, "/check", test.header); status != test.status {
				t.Errorf("%s, %s: status %d, want %d", proxy, name, status, test.status)
			}
		}
	}
}

func TestGuardForwardAuth_Response(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := w.guard(t, "forward_auth: nginx\nroutes: [{pattern: /, optional: true}, {pattern: /admin, all_scopes: ["+admin+"]}]\n").Handler()
	request := func(target string, more ...string) http.Header {
		header := http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {target}}
		for i := 0; i < len(more); i += 2 {
			header[more[i]] = []string{more[i+1]}
		}
		return header
	}
	token := "Bearer " + w.token(jobs)
	status, header := check(t, handler, "/check", request("/", "Authorization", token))
	if status != http.StatusOK || header.Get("X-Globus-Subject") != w.Alice.ID || header.Get("X-Globus-Username") != w.Alice.Username || header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, header %v", status, header)
	}
	if status, header := check(t, handler, "/check", request("/")); status != http.StatusOK || header.Get("X-Globus-Subject") != "" {
		t.Errorf("anonymous: status %d, header %v", status, header)
	}
	for _, name := range []string{
		"X-Globus-Subject", "x_globus_username", "X.Globus.Scope", "X-Globus-Assertion",
		"X-Http-Method-Override", "X_HTTP_Method", "X-Method-Override", "X-Original-Url", "x-rewrite-url",
	} {
		if status, header := check(t, handler, "/check", request("/", "Authorization", token, name, "evil")); status != http.StatusBadRequest || header.Get("X-Globus-Subject") != "" {
			t.Errorf("%s of the client: status %d, header %v", name, status, header)
		}
	}
	if status, _ := check(t, handler, "/check", request("/", "Authorization", token, "X-Globus-Client-Info", "product=sdk")); status != http.StatusOK {
		t.Errorf("the header of Globus SDKs: status %d", status)
	}
	if status, header := check(t, handler, "/denial", request("/admin", "Authorization", token)); status != http.StatusForbidden || header.Get("Content-Type") != "application/json" {
		t.Errorf("denial: status %d, header %v", status, header)
	}
	if status, header := check(t, handler, "/denial", request("/", "Authorization", token)); status != http.StatusServiceUnavailable || header.Get("X-Globus-Subject") != "" {
		t.Errorf("denial of an allowed request: status %d, header %v", status, header)
	}
	if status, _ := check(t, handler, "/other", request("/")); status != http.StatusNotFound {
		t.Errorf("another path: status %d", status)
	}
}

func TestGuardForwardAuth_GlobusAuthIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Inject(authtest.Fault{Kind: authtest.FaultMalformed, Operation: "introspect"})
	handler := w.guard(t, "forward_auth: nginx\n").Handler()
	status, _ := check(t, handler, "/check", http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {"/"}, "Authorization": {"Bearer " + w.token(jobs)}})
	if status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
}

func TestGuard_Assertion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	curve, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	modulus, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{"Ed25519": edwards, "P-256": curve, "RSA": modulus} {
		text := "assertion: {key_file: " + keyPEM(t, key) + ", audience: https://jobs.example.org, lifetime: 30s}\n"
		front := w.serve(t, "upstream: "+program(t).URL+"\nrules: {fresh: 72h}\n"+text)
		c := client(t)
		_, body := get(t, c, front.url+"/", "Authorization", "Bearer "+w.token(jobs), "X-Globus-Assertion", "evil", "Connection", "X-Globus-Assertion")
		_, document := get(t, c, front.admin+"/jwks.json")
		keys, err := jwk.ParseString(document)
		if err != nil || strings.Contains(document, `"d"`) {
			t.Fatalf("%s: %v: %s", name, err, document)
		}
		token, err := jwt.ParseString(decode(t, []byte(body)).Header.Get("X-Globus-Assertion"), jwt.WithKeySet(keys),
			jwt.WithAudience("https://jobs.example.org"), jwt.WithIssuer("globus-auth-guard"), jwt.WithClock(jwt.ClockFunc(w.Now)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if username, _ := token.Get("username"); token.Subject() != w.Alice.ID || username != w.Alice.Username || token.Expiration().Sub(token.IssuedAt()) != 30*time.Second {
			t.Errorf("%s: %v", name, token)
		}
		if session, _ := token.Get("session_identity"); session != w.Alice.ID {
			t.Errorf("%s: session identity %v", name, session)
		}
		// An assertion does not outlive the token.
		short := w.Token(authtest.Grant{User: w.Alice.Username, Age: 48*time.Hour - 10*time.Second})
		_, body = get(t, c, front.url+"/", "Authorization", "Bearer "+short)
		if token, err = jwt.ParseInsecure([]byte(decode(t, []byte(body)).Header.Get("X-Globus-Assertion"))); err != nil || token.Expiration().Sub(token.IssuedAt()) > 11*time.Second {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for name, file := range map[string]string{"P-384": keyPEM(t, p384), "certificate": writePEM(t, "CERTIFICATE", nil), "missing": "nowhere.pem", "public": examples + "/guard.yaml"} {
		if _, err := guard.New(read(t, "upstream: http://a\nassertion: {key_file: "+file+", audience: a}\n"), w.OAuth); err == nil {
			t.Errorf("%s: the key is accepted", name)
		}
	}
}

func TestGuardAdmin_Metrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	front := w.serve(t, "upstream: "+program(t).URL+"\nroutes: [{pattern: /}, {pattern: /admin, all_scopes: ["+admin+"], fresh: 1s, mfa: true}]\n")
	c := client(t)
	token := w.token(jobs)
	for _, path := range []string{"/", "/", "/admin", "//"} {
		get(t, c, front.url+path, "Authorization", "Bearer "+token)
	}
	get(t, c, front.url+"/")
	response, body := get(t, c, front.admin+"/metrics")
	if response.Header.Get("Content-Type") != "text/plain; version=0.0.4" {
		t.Errorf("Content-Type %q", response.Header.Get("Content-Type"))
	}
	for _, line := range []string{
		"globus_auth_guard_allowed_total 2", "globus_auth_guard_introspections_total 1", "globus_auth_guard_cache_hits_total 2",
		`globus_auth_guard_denials_total{status="400",rule="path"} 1`, `globus_auth_guard_denials_total{status="401",rule=""} 1`,
		`globus_auth_guard_denials_total{status="403",rule="AllScopes"} 1`, `globus_auth_guard_denials_total{status="403",rule="MFA"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, body)
		}
	}
	for _, secret := range []string{token, w.Alice.ID, w.Alice.Username} {
		if strings.Contains(body, secret) {
			t.Errorf("the metrics name a caller:\n%s", body)
		}
	}
	if response, _ := get(t, c, front.url+"/metrics"); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("metrics at the address of requests: status %d", response.StatusCode)
	}
}
