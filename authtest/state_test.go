package authtest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/authtest"
)

// written returns a world as text.
func written(t *testing.T, world authtest.World) string {
	t.Helper()
	var buffer bytes.Buffer
	if err := world.Write(&buffer); err != nil {
		t.Fatal(err)
	}
	return buffer.String()
}

func TestServerSnapshot_RestartContinues(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{RotateRefreshTokens: true, RefreshTokenGrace: time.Hour})
	p.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: 503, Operation: "getConsents"})
	p.server.AddPolicy(authtest.Policy{Project: p.ready.ProjectID, Name: "empty", Include: []string{}})
	p.server.Advance(time.Hour)
	if err := p.server.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	login := p.login("openid "+p.ready.DependentGrant.Scope, "access_type", "offline", "session_required_mfa", "true")
	rotated := text(login, "refresh_token")
	current := text(p.want(p.refresh(rotated), 200).json(t), "refresh_token")
	code := p.callback(p.authorizeQuery("openid")).Get("code")
	used := p.callback(p.authorizeQuery("openid")).Get("code")
	p.want(p.exchange(used), 200)

	first := written(t, p.server.Snapshot())
	world, err := authtest.ReadWorld(strings.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	restarted := newPeer(t, authtest.Config{World: &world, RotateRefreshTokens: true, RefreshTokenGrace: time.Hour})
	if diff := cmp.Diff(first, written(t, restarted.server.Snapshot())); diff != "" {
		t.Errorf("the snapshot of the restarted server differs (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(p.ready.Users, restarted.ready.Users); diff != "" {
		t.Errorf("users (-before +after):\n%s", diff)
	}
	restarted.want(restarted.exchange(code), 200)
	restarted.want(restarted.exchange(used), 400)
	restarted.want(restarted.refresh(rotated), 200)
	restarted.want(restarted.refresh(current), 200)
	restarted.want(restarted.do("GET", "/v2/oauth2/userinfo", bearer(text(login, "access_token")), nil), 200)
	dependent := token(t, login, p.ready.ConfidentialClientID)
	restarted.want(restarted.do("POST", "/v2/oauth2/token", restarted.confidential(), url.Values{
		"grant_type": {"urn:globus:auth:grant_type:dependent_token"}, "token": {text(dependent, "access_token")},
	}), 200)
	session := inner(t, restarted.introspected(text(dependent, "access_token"), ""), "session_info")
	if !strings.Contains(fmt.Sprint(session), "mfa") {
		t.Errorf("the session was lost: %v", session)
	}
	if got, want := restarted.do("GET", "/jwk.json", "", nil).body, p.do("GET", "/jwk.json", "", nil).body; !bytes.Equal(got, want) {
		t.Error("the keys changed")
	}
	restarted.want(restarted.do("GET", "/v2/api/identities/x/consents", "", nil), 503)
}

func TestServerSnapshot_KeepsSessionsWithoutABrowser(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	issued := p.server.Issue(authtest.Grant{User: "alice@example.edu", Client: p.ready.ConfidentialClientID, Scopes: []string{"openid"}, MFA: true})
	restarted := newPeer(t, authtest.Config{World: new(p.server.Snapshot())})
	if got := fmt.Sprint(restarted.introspected(issued[0].AccessToken, "")["session_info"]); !strings.Contains(got, "mfa") {
		t.Errorf("session %s", got)
	}
}

// A program that saves the state looks at the count before the snapshot.
func TestServerChanges_CountsWhatASnapshotShows(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	for name, change := range map[string]func(){
		"a login":   func() { p.login("openid") },
		"the clock": func() { p.server.Advance(time.Hour) },
		"a user":    func() { p.server.AddUser(authtest.User{Username: "dora@example.edu"}) },
		"a fault":   func() { p.server.Inject(authtest.Fault{Kind: authtest.FaultDropBefore, Operation: "x"}) },
		"a key": func() {
			if err := p.server.RotateKeys(); err != nil {
				t.Error(err)
			}
		},
		"a reset": func() {
			if err := p.server.Reset(); err != nil {
				t.Error(err)
			}
		},
	} {
		before := p.server.Changes()
		if change(); p.server.Changes() == before {
			t.Errorf("%s is not counted", name)
		}
	}
	before := p.server.Changes()
	p.want(p.do("GET", "/jwk.json", "", nil), 200)
	if p.server.Changes() != before {
		t.Error("reading is counted")
	}
}

func TestReadWorld_Invalid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ document, reason string }{
		"misspelt field":     {"user: []", "field user not found"},
		"not YAML":           {"users: [", "did not find"},
		"no domain":          {"users: [{username: alice}]", "must be name@domain"},
		"name twice":         {"users: [{username: a@b.c}, {username: A@b.c}]", "the username is taken"},
		"bad ID":             {"users: [{username: a@b.c, id: x}]", "the ID is not a UUID"},
		"unknown provider":   {"users: [{username: a@b.c, identity_provider: 00000000-0000-4000-8000-000000000000}]", "there is no identity provider"},
		"unknown project":    {"clients: [{name: x, project: y}]", "there is no project"},
		"unknown type":       {"clients: [{name: x, client_type: y}]", "There is no client_type"},
		"unknown dependency": {"clients: [{name: x, secret: s, scopes: [{suffix: a, depends_on: [{scope: b}]}]}]", "There is no scope"},
		"circle":             {"clients: [{name: x, secret: s, scopes: [{scope: a, depends_on: [{scope: b}]}, {scope: b, depends_on: [{scope: a}]}]}]", "depends on this one"},
		"unknown admin":      {"projects: [{display_name: p, admin_ids: [unknown]}]", "there is no user or client"},
		"policy, no project": {"policies: [{display_name: p, project_id: q}]", "there is no project"},
		"fault":              {"faults: [{kind: nonsense}]", "there is no fault"},
		"http redirect":      {"clients: [{name: x, redirect_uris: ['http://example.org/']}]", "must use https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world, err := authtest.ReadWorld(strings.NewReader(test.document))
			if err == nil {
				_, err = authtest.NewServer(authtest.Config{World: &world})
			}
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("error = %v, want one with %q", err, test.reason)
			}
		})
	}
}

// Each value takes a hundred times its bytes while it is read.
func TestReadWorld_ManyTinyValues(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"{},", "[],", "a,", "- \n", "-\n", "- - - - ", ",", "? ? ? "} {
		_, err := authtest.ReadWorld(strings.NewReader("users: [" + strings.Repeat(value, 12<<20/len(value)) + "]"))
		if err == nil || !strings.Contains(err.Error(), "too many") {
			t.Errorf("12 MiB of %q: error %.200v", value, err)
		}
	}
}

// Programs write JSON with surrogate pairs for letters beyond U+FFFF.
func TestReadWorld_JSON(t *testing.T) {
	t.Parallel()
	world, err := authtest.ReadWorld(strings.NewReader(`{"users": [{"username": "a@b.c", "name": "\ud83d\ude00 \u0041", "last_authentication": 1700000000}]}`))
	if err != nil || len(world.Users) != 1 || world.Users[0].Name != "😀 A" || world.Users[0].LastLogin != 1_700_000_000 {
		t.Errorf("%+v, %v", world.Users, err)
	}
}

func TestReadWorld_CreationTimeInJSON(t *testing.T) {
	t.Parallel()
	world, err := authtest.ReadWorld(strings.NewReader(`{"clients": [{"name": "x", "credentials": [{"secret": "s", "created": "2024-01-01T00:00:00Z"}]}]}`))
	if err != nil || !world.Clients[0].Credentials[0].Created.Equal(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", world.Clients, err)
	}
}

func FuzzReadWorld(f *testing.F) {
	var builtin bytes.Buffer
	if err := authtest.DefaultWorld().Write(&builtin); err != nil {
		f.Fatal(err)
	}
	f.Add(builtin.Bytes())
	f.Add([]byte("users: [{username: a@b.c, linked: [{username: d@b.c}]}]"))
	f.Add([]byte("state: {last_consent: 3, sessions: [{id: x, cookie: y, primary: z}]}"))
	f.Add([]byte("state: {access_tokens: [{value: x, consents: [1]}]}"))
	f.Fuzz(func(t *testing.T, document []byte) {
		world, err := authtest.ReadWorld(bytes.NewReader(document))
		if err != nil {
			return
		}
		if s, err := authtest.NewServer(authtest.Config{World: &world}); err == nil {
			s.Snapshot()
		}
	})
}

func TestNewServer_Deterministic(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }
	run := func() string {
		p := newPeer(t, authtest.Config{Deterministic: true, Now: now})
		p.login("openid "+transferAll, "access_type", "offline")
		return written(t, p.server.Snapshot())
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
}

func TestServer_DiscardsExpiredTokens(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{AccessTokenLifetime: time.Minute, MaxTokens: 50})
	grant := url.Values{"grant_type": {"client_credentials"}, "scope": {transferAll}}
	for range 5 {
		for range 20 {
			p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), grant), 200)
		}
		if kept := len(p.server.Snapshot().State.Access); kept > 20 {
			t.Errorf("%d tokens are kept, want the 20 that live", kept)
		}
		p.server.Advance(time.Minute)
	}
	for range 60 {
		p.want(p.do("POST", "/v2/oauth2/token", p.confidential(), grant), 200)
	}
	if kept := len(p.server.Snapshot().State.Access); kept != 50 {
		t.Errorf("%d tokens are kept, want 50", kept)
	}
}

func TestNewServer_ManyUsers(t *testing.T) { //nolint:paralleltest // It measures the memory of the process.
	if testing.Short() {
		t.Skip("seeds 100,000 users")
	}
	users := make([]authtest.User, 100_000)
	for n := range users {
		name := fmt.Sprintf("user%06d@example.edu", n)
		users[n] = authtest.User{Username: name, Name: name, Email: name, Organization: "Example University"}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := authtest.NewServer(authtest.Config{World: &authtest.World{Users: users}})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 200<<20 {
		t.Errorf("%d users take %d MiB, want at most 200", len(users), used>>20)
	} else {
		t.Logf("%d users take %d MiB", len(users), used>>20)
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(users) // freed before the second reading, it would hide as much of the growth
}

func TestControlAPI_Requests(t *testing.T) {
	t.Parallel()
	p := newPeer(t, authtest.Config{})
	router, err := loadDescription("../internal/emulator/control.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.http.Transport = conforming{tb: t, base: p.http.Transport.(conforming).base, router: router}
	access := text(p.login("openid"), "access_token")
	if stats := p.want(p.do("GET", "/_authtest/stats", "", nil), 200).json(t); inner(t, inner(t, stats, "operations"), "token")["200"] != 1.0 || len(inner(t, stats, "grants")) != 4 {
		t.Errorf("statistics = %v", stats)
	}
	requests := string(p.want(p.do("GET", "/_authtest/requests", "", nil), 200).body)
	if strings.Contains(requests, verifier) || !strings.Contains(requests, `"operation":"authorize"`) {
		t.Errorf("requests = %s", requests)
	}
	p.want(p.do("POST", "/_authtest/world", "", object{"users": []object{{"username": "dora@example.edu"}}}), 200)
	p.login("openid", "login_hint", "dora@example.edu")
	before := p.server.Now()
	p.want(p.do("POST", "/_authtest/clock", "", object{"advance": "36h"}), 200)
	if moved := p.server.Now().Sub(before); moved < 36*time.Hour || moved > 37*time.Hour {
		t.Errorf("the clock moved by %v", moved)
	}
	p.want(p.do("GET", "/_authtest/clock", "", nil), 200)
	id := text(p.want(p.do("POST", "/_authtest/faults", "", object{"kind": "latency", "latency": "1ms", "operation": "getJWKS"}), 200).json(t), "id")
	if faults := p.want(p.do("GET", "/_authtest/faults", "", nil), 200); !strings.Contains(string(faults.body), `"latency":"1ms"`) {
		t.Errorf("faults = %s", faults.body)
	}
	p.want(p.do("DELETE", "/_authtest/faults/"+id, "", nil), 200)
	p.want(p.do("DELETE", "/_authtest/faults", "", nil), 200)
	p.want(p.do("POST", "/_authtest/tokens/expire", "", object{"token": access}), 200)
	p.want(p.do("POST", "/_authtest/tokens/expire", "", object{"token": access}), 404)
	p.want(p.do("POST", "/_authtest/consents/revoke", "", object{"user": "alice@example.edu"}), 200)
	p.want(p.do("POST", "/_authtest/consents/revoke", "", object{"user": "unknown"}), 404)
	p.want(p.do("POST", "/_authtest/keys", "", nil), 200)
	p.want(p.do("GET", "/_authtest/ready", "", nil), 200)
	p.want(p.do("GET", "/_authtest/openapi.yaml", "", nil), 200)
	p.want(p.do("GET", "/_authtest/snapshot", "", nil), 200)
	p.want(p.do("DELETE", "/_authtest/stats", "", nil), 200)
	for _, bad := range []struct {
		path   string
		body   any
		reason string
	}{
		{"/_authtest/clock", object{"advance": "soon"}, "must be a duration"},
		{"/_authtest/clock", object{"forward": "1h"}, "unknown field"},
		{"/_authtest/faults", object{"kind": "nonsense"}, "there is no fault"},
		{"/_authtest/faults", object{"kind": "status", "status": 503, "operations": "token"}, "field operations not found"},
		{"/_authtest/world", object{"users": []object{{"username": "alice@example.edu"}}}, "the username is taken"},
		{"/_authtest/world", object{"state": object{"last_consent": 1}}, "takes no state"},
	} {
		if a := p.do("POST", bad.path, "", bad.body); a.status != 400 || !strings.Contains(string(a.body), bad.reason) {
			t.Errorf("%s %v: status %d %s, want 400 with %q", bad.path, bad.body, a.status, a.body, bad.reason)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), "DELETE", p.server.BaseURL()+"_authtest/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another origin got %d, want 403", response.StatusCode)
	}
}

func TestReadWorld_SeedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.yaml")
	if err := os.WriteFile(path, []byte(written(t, authtest.DefaultWorld())), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // Only read.
	world, err := authtest.ReadWorld(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(authtest.DefaultWorld(), world); diff != "" {
		t.Errorf("the built-in world changes when it is written and read (-want +got):\n%s", diff)
	}
}
