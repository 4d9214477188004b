package authtest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/globusauth/globusauth/authtest"
)

func TestDashboard_Content(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newPeer(t, authtest.Config{Now: func() time.Time { return now }})
	s := newSurfer(t, p)
	response := p.login("openid "+transferAll, "access_type", "offline")
	p.introspect(text(response, "access_token"))
	s.open("/").sees(
		"alice@example.edu", "alice@globusid.org", "Alice Adams", "Example portal", p.ready.ConfidentialClientID,
		"hybrid_confidential_client_resource_server", p.ready.ConfidentialRedirectURI, transferAll,
		"access", "refresh", "2 days Expire", "2030-01-02 03:04:05 UTC", "POST /v2/oauth2/token/introspect", "include=session_info,identity_set_detail", "RS512",
	)
	body := textOf(s.doc)
	for _, secret := range []string{
		text(response, "access_token"), text(response, "refresh_token"), p.ready.ConfidentialClientSecret, verifier,
	} {
		if strings.Contains(body, secret) {
			t.Errorf("the dashboard shows a secret whole: %s", secret)
		}
		if !strings.Contains(body, secret[:10]) {
			t.Errorf("the dashboard does not show the beginning of a secret: %s", secret)
		}
	}
}

func TestDashboard_Buttons(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	response := p.login("openid")
	valid := func() bool {
		return p.do("GET", "/v2/oauth2/userinfo", bearer(text(response, "access_token")), nil).status == http.StatusOK
	}
	if !valid() {
		t.Fatal("the token is not good at the start")
	}
	s.open("/").press("Expire").sees("The token has expired", "No tokens yet")
	if valid() {
		t.Error("the token is good after it was expired")
	}
	response = p.login("openid")
	s.open("/").press("Revoke").sees("The consent is revoked", "No consents yet")
	if valid() {
		t.Error("the token is good after its consent was revoked")
	}
	keys := string(p.do("GET", "/jwk.json", "", nil).body)
	s.press("Rotate keys").sees("A new key signs from now on")
	if string(p.do("GET", "/jwk.json", "", nil).body) == keys {
		t.Error("the keys are the same after they were rotated")
	}
	before := p.server.Now()
	s.press("Advance", "by", "36h30m").sees("The clock was moved", "1 day and 12 hours ahead")
	if moved := p.server.Now().Sub(before); moved < 36*time.Hour || moved > 37*time.Hour {
		t.Errorf("the clock moved by %v, want 36h30m", moved)
	}
	s.press("Inject the fault", "operation", "getJWKS", "status", "503", "retry_after", "7", "times", "1").
		sees("The fault is set", "status, operation: getJWKS, times: 1, status: 503, retry_after: 7")
	p.http = p.server.Client() // faults are not in the description
	if a := p.do("GET", "/jwk.json", "", nil); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "7" {
		t.Errorf("status = %d, Retry-After = %q with the fault", a.status, a.header.Get("Retry-After"))
	}
	s.press("Inject the fault", "kind", "latency", "latency", "1ms", "client", p.ready.NativeClientID, "nth", "3", "probability", "0.5").
		sees("latency, client: " + p.ready.NativeClientID + ", nth: 3, probability: 0.5, latency: 1ms")
	s.open("/").sees("applied 1").press("Clear: latency")
	if left := p.server.Snapshot().Faults; len(left) != 1 || left[0].Kind != authtest.FaultStatus {
		t.Errorf("faults = %+v, want the other one", left)
	}
	s.press("Clear all faults").sees("No faults")
	s.press("Discard requests").sees("No requests yet")
	if requests := p.server.Requests(); len(requests) != 0 {
		t.Errorf("%d requests are remembered", len(requests))
	}
}

func TestDashboard_RefusedForms(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	p.login("openid")
	for name, c := range map[string]struct {
		button string
		fields []string
		want   string
	}{
		"duration":    {"Advance", []string{"by", "tomorrow"}, "a duration such as"},
		"too far":     {"Advance", []string{"by", "999999h"}, "at most ten years"},
		"token":       {"Expire", []string{"token", "nonsense"}, "The token no longer exists"},
		"consent":     {"Revoke", []string{"consent", "x"}, "The consent no longer exists"},
		"no consent":  {"Revoke", []string{"consent", "1"}, "The consent no longer exists"},
		"action":      {"Rotate keys", []string{"action", "explode"}, "Unknown action"},
		"kind":        {"Inject the fault", []string{"kind", "explode"}, "there is no fault"},
		"status":      {"Inject the fault", []string{"kind", "status", "status", "200"}, "is not between 400 and 599"},
		"not numeric": {"Inject the fault", []string{"kind", "status", "status", "many"}, "cannot unmarshal !!str `many` into int"},
		"probability": {"Inject the fault", []string{"kind", "status", "probability", "2"}, "within 0 and 1"},
		"latency":     {"Inject the fault", []string{"kind", "latency", "latency", "long"}, "cannot unmarshal !!str `long` into time.Duration"},
		"no latency":  {"Inject the fault", []string{"kind", "slow_body", "latency", "-1s"}, "needs a positive latency"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSurfer(t, p).open("/").press(c.button, c.fields...).sees("Error:", c.want)
			if s.status != http.StatusUnprocessableEntity {
				t.Errorf("status = %d, want 422", s.status)
			}
		})
	}
	t.Cleanup(func() {
		if faults := p.server.Snapshot().Faults; len(faults) != 0 {
			t.Errorf("faults = %+v, want none", faults)
		}
	})
	if s.send(http.MethodGet, "/", nil, http.Header{"Accept": {"application/json"}}); s.status != http.StatusOK {
		t.Errorf("status = %d", s.status)
	}
}

func TestDashboard_LargeWorld(t *testing.T) {
	t.Parallel()
	world := authtest.DefaultWorld()
	for n := range 1000 {
		world.Users = append(world.Users, authtest.User{Username: "user" + strings.Repeat("x", n%7) + time.Duration(n).String() + "@example.edu"})
	}
	p := newPeer(t, authtest.Config{World: &world})
	s := newSurfer(t, p).open("/").sees("And 903 more")
	s.authorize("openid").sees("954 more are not listed").press("Sign in", "username", world.Users[900].Username).sees("Allow", world.Users[900].Username)
}

// What happens comes first, and each cell says on a phone what it is.
func TestDashboard_RequestsFirst(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	p.login("openid")
	s.open("/")
	var ids, unlabeled []string
	for node := range s.doc.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		attribute := map[string]string{}
		for _, a := range node.Attr {
			attribute[a.Key] = a.Val
		}
		_, spans := attribute["colspan"]
		if node.Data == "section" && attribute["id"] != "" {
			ids = append(ids, attribute["id"])
		}
		if node.Data == "td" && attribute["data-label"] == "" && !spans && !strings.Contains(textOf(node), "Expire") && !strings.Contains(textOf(node), "Revoke") {
			unlabeled = append(unlabeled, textOf(node))
		}
	}
	if len(ids) < 8 || ids[0] != "requests" {
		t.Errorf("sections %q", ids)
	}
	if len(unlabeled) > 0 {
		t.Errorf("cells without a label: %q", unlabeled)
	}
}

// A browser gets a page at a path that has none, a program JSON.
func TestPages_UnknownPath(t *testing.T) {
	t.Parallel()
	p, s := pages(t)
	s.open("/nowhere/<b>").sees("No such page", "There is nothing at /nowhere/<b>", "dashboard")
	if policy := s.header.Get("Content-Security-Policy"); s.status != http.StatusNotFound || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("status %d, policy %q", s.status, policy)
	}
	p.http = p.server.Client() // the path is not in the description
	if a := p.do("GET", "/nowhere", "", nil); a.status != http.StatusNotFound || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("a program gets status %d, %s", a.status, a.header.Get("Content-Type"))
	}
}
