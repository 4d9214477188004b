package guard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
)

// TestGuard_Routes sends requests through every form of the guard. The token has the scope jobs only.
func TestGuard_Routes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routes := `
routes:
  - {pattern: /, optional: true}
  - {pattern: "GET /jobs/{id}", all_scopes: [` + jobs + `]}
  - {pattern: /admin, all_scopes: [` + admin + `]}
  - {pattern: /tree/, all_scopes: [` + admin + `]}
  - {pattern: DELETE /other, all_scopes: [` + admin + `]}
  - {pattern: "/exact/{$}", all_scopes: [` + admin + `]}
`
	token := "Bearer " + w.token(jobs)
	front := w.serve(t, "upstream: "+program(t).URL+routes)
	nginx, traefik := w.guard(t, "forward_auth: nginx"+routes).Handler(), w.guard(t, "forward_auth: traefik"+routes).Handler()
	for _, test := range []struct {
		method, target, token string
		status                int
	}{
		{"GET", "/", "", 200},
		{"GET", "/other?a=/../b;c%2f", "", 200},
		{"GET", "/", "Bearer unknown", 401},
		{"GET", "/jobs/1", "", 401},
		{"GET", "/jobs/1", token, 200},
		{"HEAD", "/jobs/1", "", 401},
		{"GET", "/jobs/1/", "", 401},
		{"POST", "/jobs/1", "", 200},
		{"GET", "/admin", token, 403},
		{"GET", "/admin/", token, 403},
		{"GET", "/%61dmin", token, 403},
		{"GET", "/admin?a", token, 403},
		{"GET", "/tree", token, 403},
		{"GET", "/tree/a/b", token, 403},
		{"GET", "/exact/", token, 403},
		{"DELETE", "/other", token, 403},
		// What programs may read as /admin.
		{"GET", "//admin", token, 400},
		{"GET", "/./admin", token, 400},
		{"GET", "/a/../admin", token, 400},
		{"GET", "/a/%2e%2e/admin", token, 400},
		{"GET", "/admin/..", token, 400},
		{"GET", "/admin//", token, 400},
		{"GET", "/a%2F..%2Fadmin", token, 400},
		{"GET", "/jobs%2F1", token, 400},
		{"GET", `/a\..\admin`, token, 400},
		{"GET", "/a%5cadmin", token, 400},
		{"GET", "/admin;a=b", token, 400},
		{"GET", "/admin%3ba", token, 400},
		{"GET", "/%2561dmin", token, 400},
		{"GET", "/admin%00", token, 400},
		{"GET", "/admin%0a", token, 400},
		{"GET", "/admin%23", token, 400},
		{"GET", "/admin#a", token, 400},
		{"GET", "/admin%3fa", token, 400},
		{"GET", "/%c0%afadmin", token, 400},
		{"GET", "/admin%", token, 400},
		{"GET", "http://api/admin", token, 400},
		{"GET", "*", token, 400},
		{"GET", "admin", token, 400},
		{"delete", "/other", token, 400},
		{"DELETE\t", "/other", token, 400},
	} {
		t.Run(test.method+" "+test.target+" "+strings.Split(test.token+" ", " ")[0], func(t *testing.T) {
			t.Parallel()
			authorization := ""
			if test.token != "" {
				authorization = "Authorization: " + test.token + "\n"
			}
			if status, body := send(t, front.url, test.method+" "+test.target+" HTTP/1.1\nHost: api\n"+authorization+"Connection: close\n\n"); status != test.status {
				t.Errorf("proxy: status %d, want %d: %s", status, test.status, body)
			}
			for name, handler := range map[string]http.Handler{"Original": nginx, "Forwarded": traefik} {
				header := http.Header{"X-" + name + "-Method": {test.method}, "X-" + name + "-Uri": {test.target}}
				if test.token != "" {
					header.Set("Authorization", test.token)
				}
				if status, _ := check(t, handler, "/check", header); status != test.status {
					t.Errorf("%s: status %d, want %d", name, status, test.status)
				}
			}
		})
	}
}

func TestGuard_NoRouteMatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(jobs)
	front := w.serve(t, "upstream: "+program(t).URL+"\nroutes: [{pattern: GET /a, optional: true}]\n")
	for _, line := range []string{"GET /b", "POST /a", "GET /a/b", "CONNECT api:80", "OPTIONS *"} {
		if status, body := send(t, front.url, line+" HTTP/1.1\nHost: api\n"+bearer(token)+"Connection: close\n\n"); status != 403 && status != 400 {
			t.Errorf("%s: status %d: %s", line, status, body)
		}
	}
}

// TestGuardProxy_StaysBelowUpstream wants no request to leave the path of upstream, and other paths unchanged.
func TestGuardProxy_StaysBelowUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	upstream := program(t)
	whole, part := w.serve(t, "upstream: "+upstream.URL+"\n"), w.serve(t, "upstream: "+upstream.URL+"/base/\n")
	token := bearer(w.token(jobs))
	for target, wants := range map[string][2]string{
		"/a":              {"/a", "/base/a"},
		"/a;b=c/d%2Fe//f": {"/a;b=c/d%2Fe//f", ""},
		"/../secret":      {"/../secret", ""},
		"/%2e%2e/secret":  {"/%2e%2e/secret", ""},
	} {
		for i, front := range []*running{whole, part} {
			status, body := send(t, front.url, "GET "+target+" HTTP/1.1\nHost: api\n"+token+"\n")
			if wants[i] == "" {
				if status != http.StatusBadRequest {
					t.Errorf("%s: status %d: %s", target, status, body)
				}
			} else if got := decode(t, body).Target; got != wants[i] {
				t.Errorf("%s: upstream received %s, want %s", target, got, wants[i])
			}
		}
	}
}

// TestGuard_Rules wants each key of the file to be a rule.
func TestGuard_Rules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := w.AddPolicy(authtest.Policy{Project: w.Ready().ProjectID, Name: "example.com", Include: []string{"example.com"}})
	token := "Bearer " + w.token(jobs)
	robot := "Bearer " + w.Issue(authtest.Grant{Client: robotID, Scopes: []string{jobs}})[0].AccessToken
	const other = "00000000-0000-4000-8000-000000000000"
	for rule, statuses := range map[string][2]int{
		"all_scopes: [" + jobs + "]":                                           {200, 200},
		"all_scopes: [" + jobs + ", " + admin + "]":                            {403, 403},
		"any_scope: [" + jobs + ", " + admin + "]":                             {200, 200},
		"any_scope: [" + admin + "]":                                           {403, 403},
		"policies: [" + policy.ID + "]":                                        {403, 403},
		"fresh: 1h":                                                            {200, 403},
		"mfa: true":                                                            {403, 403},
		"mfa: false":                                                           {200, 200},
		"domains: [physics.example.edu]":                                       {200, 403},
		"domains: [example.com]":                                               {403, 403},
		"providers: [" + other + "]":                                           {403, 403},
		"identities: [" + w.Alice.ID + "]":                                     {200, 403},
		"identities: [" + other + "]":                                          {403, 403},
		"principals: [all_authenticated_users]":                                {200, 200},
		"principals: [urn:globus:auth:identity:" + other + "]":                 {403, 403},
		"clients: [" + robotID + "]":                                           {403, 200},
		"{fresh: 1h, services: [" + robotID + "]}":                             {200, 200},
		"{mfa: true, services: [" + robotID + "]}":                             {403, 200},
		"{fresh: 1h, services: [" + other + "]}":                               {200, 403},
		"{mfa: true, clients: [" + robotID + "], services: [" + robotID + "]}": {403, 200},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			for place, text := range map[string]string{
				"rules": "rules: {" + strings.Trim(rule, "{}") + "}\n", "route": "routes: [{pattern: /, " + strings.Trim(rule, "{}") + "}]\n",
			} {
				handler := w.guard(t, "forward_auth: caddy\n"+text).Handler()
				for i, authorization := range []string{token, robot} {
					status, _ := check(t, handler, "/check", http.Header{
						"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/a"}, "Authorization": {authorization},
					})
					if status != statuses[i] {
						t.Errorf("%s, caller %d: status %d, want %d", place, i, status, statuses[i])
					}
				}
			}
		})
	}
}
