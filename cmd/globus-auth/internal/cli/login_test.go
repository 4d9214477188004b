package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
	"github.com/globusauth/globusauth/scopes"
)

const transfer = "urn:globus:auth:scope:transfer.api.globus.org:all"

func TestLogin_Output(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	r := d.login("--no-browser", "--scopes", "openid profile email "+string(scopes.AuthViewIdentitySet)+" "+transfer)
	if !strings.HasPrefix(r.out, "Please authenticate with Globus here:\n") || !strings.Contains(r.errs, "logged in as alice@example.edu") {
		t.Errorf("out %q, err %q", r.out, r.errs)
	}
	if d.last.Get("access_type") != "offline" || !strings.HasPrefix(d.last.Get("prefill_named_grant"), "globus-auth") {
		t.Errorf("asked for %v", d.last)
	}
	path := d.tokenFile()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	d.shows("whoami", cli.ExitOK, "whoami")
	d.shows("whoami-json", cli.ExitOK, "whoami", "--format", "json")
	d.shows("tokens", cli.ExitOK, "tokens")
	d.shows("tokens-json", cli.ExitOK, "tokens", "--format", "json")
	d.shows("session-show", cli.ExitOK, "session", "show")
	d.shows("session-show-json", cli.ExitOK, "session", "show", "--format", "json")
	d.shows("token-of-no-login", cli.ExitAuthorization, "token", "groups.api.globus.org")
	d.shows("token-usage", cli.ExitUsage, "token")
	d.shows("wrong-store", cli.ExitUsage, "tokens", "--store", "redis")
	d.shows("wrong-format", cli.ExitUsage, "tokens", "--format", "xml")

	token := d.must("token", scopes.TransferResourceServer)
	if !regexp.MustCompile(`^\S+\n$`).MatchString(token.out) || token.errs != "" {
		t.Errorf("token printed %q, %q", token.out, token.errs)
	}
	for _, args := range [][]string{{"tokens"}, {"tokens", "--format", "json"}, {"whoami"}, {"session", "show"}} {
		if r := d.must(args...); strings.Contains(r.out+r.errs, strings.TrimSpace(token.out)) {
			t.Errorf("%q shows the token", args)
		}
	}
}

// A second login keeps the scopes of the first, and ends it: no token is valid that is not stored.
func TestLogin_Twice(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login("--scopes", "openid email")
	d.login("--scopes", "openid "+string(scopes.AuthManageProjects))
	if out := d.must("tokens").out; !strings.Contains(out, "email") || !strings.Contains(out, string(scopes.AuthManageProjects)) {
		t.Errorf("stored %s", out)
	}
	state := d.server.Snapshot().State
	if len(state.Access) != 1 || len(state.Refresh) != 1 {
		t.Errorf("%d access tokens and %d refresh tokens are valid", len(state.Access), len(state.Refresh))
	}
	d.must("logout")
	if state := d.server.Snapshot().State; len(state.Access)+len(state.Refresh) != 0 {
		t.Errorf("after a logout %d access tokens and %d refresh tokens are valid", len(state.Access), len(state.Refresh))
	}
}

// Verbs that need a token use the stored login.
func TestRun_StoredLogin(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login()
	bob := d.server.Ready().Users[1]
	if out := d.must("identities", "--format", "jsonl", bob.Username).out; !strings.Contains(out, bob.IdentityID) {
		t.Errorf("identities: %s", out)
	}
	d.must("consents", "tree", d.server.Ready().Users[0].IdentityID)
	// A token of the environment goes first.
	d.env["GLOBUS_AUTH_ACCESS_TOKEN"] = "no-token"
	if r := d.run("whoami"); r.code != cli.ExitNotLoggedIn || !strings.Contains(r.errs, "status 401") {
		t.Errorf("whoami: %+v", r)
	}
}

func TestLogout_RevokesAndDeletes(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"file", "sqlite"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.env["GLOBUS_AUTH_STORE"] = store
			d.login("--scopes", "openid "+transfer)
			secret := strings.TrimSpace(d.must("token", scopes.AuthResourceServer).out)
			if r := d.must("logout"); r.errs != "globus-auth: logged out\n" {
				t.Errorf("logout: %+v", r)
			}
			for _, args := range [][]string{
				{"token", scopes.TransferResourceServer},
				{"whoami"},
				{"tokens"},
				{"logout"},
				{"session", "show"},
				{"session", "update"},
				{"identities", "alice@example.edu"},
				{"consents", "tree", "alice@example.edu"},
			} {
				for _, args := range [][]string{args, append(args, "--client-id", d.server.Ready().NativeClientID)} {
					if r := d.run(args...); r.code != cli.ExitNotLoggedIn || r.out != "" || !strings.Contains(r.errs, `no login is stored`) ||
						!strings.Contains(r.errs, `run "globus-auth login --`) {
						t.Errorf("%q after a logout: %+v", args, r)
					}
				}
			}
			d.env["GLOBUS_AUTH_ACCESS_TOKEN"] = secret
			if r := d.run("whoami"); r.code != cli.ExitNotLoggedIn {
				t.Errorf("the token is not revoked: %+v", r)
			}
			revoked := 0
			for _, request := range d.server.Requests() {
				if strings.HasSuffix(request.Path, "/revoke") {
					revoked++
				}
			}
			if revoked != 4 {
				t.Errorf("%d tokens revoked", revoked)
			}
		})
	}
}

func TestLogout_Refused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login()
	d.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusForbidden, Operation: "revoke"})
	d.shows("logout-fails", cli.ExitFailed, "logout")
	d.must("whoami")
	d.shows("logout-forget", cli.ExitFailed, "logout", "--forget")
	if r := d.run("whoami"); r.code != cli.ExitNotLoggedIn {
		t.Errorf("still logged in: %+v", r)
	}
}

// A token is refreshed when it is due, and stored.
func TestToken_Refreshes(t *testing.T) {
	t.Parallel()
	d := newDeskWith(t, authtest.Config{AccessTokenLifetime: time.Second})
	d.login("--scopes", transfer)
	first := d.must("token", scopes.TransferResourceServer).out
	second := first
	for range 300 { // the lifetime of a token is a second, and real here
		if second = d.must("token", scopes.TransferResourceServer).out; second != first {
			break
		}
		wait, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		<-wait.Done()
		cancel()
	}
	if second == first || d.server.Stats().Grants["refresh_token"]["ok"] == 0 {
		t.Errorf("not refreshed: %v", d.server.Stats().Grants)
	}
}

// A token as JSON has its expiry beside it. A setting for other verbs does not change what scripts read.
func TestToken_Format(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login("--scopes", transfer)
	d.env["GLOBUS_AUTH_FORMAT"] = "json"
	plain := strings.TrimSpace(d.must("token", scopes.TransferResourceServer).out)
	var got map[string]any
	if err := json.Unmarshal([]byte(d.must("token", scopes.TransferResourceServer, "--format", "json").out), &got); err != nil {
		t.Fatal(err)
	}
	expiry, _ := got["expires_at"].(string)
	if _, err := time.Parse(time.RFC3339, expiry); err != nil || got["access_token"] != plain || got["scope"] != transfer {
		t.Errorf("%q as JSON is %v", plain, got)
	}
	if len(got) != 7 { // tokenInfo has six; a refresh token is not among them
		t.Errorf("fields: %v", got)
	}
	d.env["GLOBUS_AUTH_ACCESS_TOKEN"] = "ready"
	if r := d.must("token", scopes.AuthResourceServer, "--format", "json"); !strings.Contains(r.out, `"access_token": "ready"`) {
		t.Errorf("token of the environment: %s", r.out)
	}
}

func TestLogin_NoRefreshTokens(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login("--no-refresh-tokens", "--scopes", transfer)
	if d.last.Get("access_type") != "online" {
		t.Errorf("asked for %v", d.last)
	}
	d.must("token", scopes.TransferResourceServer)
	d.must("session", "update")
	if d.last.Get("access_type") != "online" || d.last.Get("prompt") != "login" || !strings.Contains(d.last.Get("scope"), transfer) {
		t.Errorf("asked for %v", d.last)
	}
	d.must("logout")
}

func TestLogin_SessionFlags(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ready := d.server.Ready()
	d.login("--session-identities", ready.Users[0].IdentityID, "--session-single-domain", "example.edu,example.org", "--session-mfa=false",
		"--session-message", "Hello, you", "--prompt", "login")
	for name, want := range map[string]string{
		"session_required_identities": ready.Users[0].IdentityID, "session_required_single_domain": "example.edu,example.org",
		"session_required_mfa": "false", "session_message": "Hello, you", "prompt": "login",
	} {
		if got := d.last.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	d.must("session", "update", "--session-policies", ready.PolicyID, "--session-mfa")
	if d.last.Get("session_required_policies") != ready.PolicyID || d.last.Get("session_required_mfa") != "true" || d.last.Has("prompt") ||
		d.last.Has("session_message") || !strings.Contains(d.last.Get("scope"), "view_identities") {
		t.Errorf("asked for %v", d.last)
	}
}

// The code may be given as the whole address of the page that shows it.
func TestLogin_PastedAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.tell = func(redirectURI string, callback url.Values) string {
		return "  " + redirectURI + "?" + callback.Encode() + " "
	}
	d.login("--no-browser")
	d.tell = func(redirectURI string, callback url.Values) string {
		return redirectURI + "?error=access_denied&state=" + callback.Get("state")
	}
	if r := d.run("login", "--no-browser", "--client-id", d.server.Ready().NativeClientID); r.code != cli.ExitFailed || !strings.Contains(r.errs, "access_denied") {
		t.Errorf("denied: %+v", r)
	}
}

func TestLogin_ProfilesAndClients(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ready := d.server.Ready()
	d.shows("login-usage", cli.ExitUsage, "login")
	d.login()
	d.must("login") // the only client that is logged in
	d.hint = ready.Users[1].Username
	r := d.run("login", "--client-id", ready.NativeClientID)
	if r.code != cli.ExitFailed || !strings.Contains(r.errs, "another identity's tokens") || !strings.Contains(r.errs, `run "globus-auth logout" first`) {
		t.Errorf("another person: %+v", r)
	}
	d.login("--profile", "other")
	for profile, want := range map[string]string{"": ready.Users[0].Username, "other": ready.Users[1].Username} {
		if out := d.must("whoami", "--profile", profile).out; !strings.Contains(out, want) {
			t.Errorf("profile %q: %s", profile, out)
		}
	}
	d.env["GLOBUS_AUTH_PROFILE"] = "third"
	d.shows("profile-unknown", cli.ExitNotLoggedIn, "whoami")
	delete(d.env, "GLOBUS_AUTH_PROFILE")
	d.shows("login-scopes", cli.ExitUsage, "login", "--client-id", ready.NativeClientID, "--scopes", "a[")
	d.hint = ""
	d.must("login", "--client-id", ready.TemplateID)
	d.shows("several-clients", cli.ExitUsage, "whoami")
	d.shows("several-clients", cli.ExitUsage, "login")
	d.env["GLOBUS_AUTH_CLIENT_ID"] = ready.TemplateID
	d.must("whoami")
}

// A client with a secret logs in as itself.
func TestLogin_ClientSecretFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ready := d.server.Ready()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(ready.ConfidentialClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	robot := []string{"--client-id", ready.ConfidentialClientID, "--client-secret-file", file}
	with := func(args ...string) []string { return append(args, robot...) }
	if r := d.must(with("login", "--scopes", transfer)...); r.out != "" {
		t.Errorf("login printed %q", r.out)
	}
	d.must(with("token", scopes.TransferResourceServer)...)
	if out := d.must(with("whoami")...).out; !strings.Contains(out, ready.ConfidentialClientID) {
		t.Errorf("whoami: %s", out)
	}
	if r := d.run(with("session", "update")...); r.code != cli.ExitUsage {
		t.Errorf("session update: %+v", r)
	}
	d.must(with("session", "show")...)
	d.must(with("logout")...)

	for name, content := range map[string]string{"empty": "\n", "two words": "a b", "long": strings.Repeat("a", 5000)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := d.run(with("login")...); r.code != cli.ExitUsage || !strings.Contains(r.errs, "give the secret alone") || strings.Contains(r.errs, "aaa") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := d.run("login", "--client-id", "x", "--client-secret-file", filepath.Join(t.TempDir(), "none")); r.code != cli.ExitFailed {
		t.Errorf("no file: %+v", r)
	}
}

// An interruption ends a login at once.
func TestLogin_Interrupted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.tell = func(string, url.Values) string { cancel(); return "" }
	if r := d.runWith(ctx, "login", "--no-browser", "--client-id", d.server.Ready().NativeClientID); r.code != cli.ExitInterrupted || r.errs != "globus-auth: interrupted\n" {
		t.Errorf("login: %+v", r)
	}
}

// A login whose refresh token is invalid says what to do.
func TestRun_InvalidRefreshToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.login()
	path := d.tokenFile()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`("refresh_token": ?")`).ReplaceAll(text, []byte("${1}x"))
	text = regexp.MustCompile(`("expires_at_seconds": ?)\d+`).ReplaceAll(text, []byte("${1}1000000000"))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"whoami"}, {"token", scopes.AuthResourceServer}, {"identities", "a@b"}} {
		if r := d.run(args...); r.code != cli.ExitNotLoggedIn || !strings.Contains(r.errs, `run "globus-auth login --client-id ID --base-url http://`) {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// The path of a file puts the login of one client there.
func TestLogin_StoreIsAFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := filepath.Join(t.TempDir(), "my-tokens.json")
	if r := d.run("tokens", "--store", file); r.code != cli.ExitUsage || !strings.Contains(r.errs, "--client-id") {
		t.Errorf("without a client: %+v", r)
	}
	usual := d.tokenFile()
	if r := d.run("tokens", "--store", file, "--client-id", unknownID, "--store-dir", "elsewhere"); r.code != cli.ExitUsage || !strings.Contains(r.errs, "omit --store-dir") {
		t.Errorf("with a directory: %+v", r)
	}
	d.env["GLOBUS_AUTH_STORE"], d.env["GLOBUS_AUTH_CLIENT_ID"] = file, d.server.Ready().NativeClientID
	d.login()
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Stat(usual); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the usual file is there too: %v", err)
	}
	d.must("whoami")
	d.must("logout")
}
