// Package examples_test runs every example against the test double.
package examples_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

// The first run logs in with a code that the user copies. Later runs use the stored
// tokens, until the logout.
func TestTool(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	transfer := service(t, server, `{"DATA":[{"label":"survey data","status":"SUCCEEDED"},{"label":"backup","status":"ACTIVE"}]}`)
	env := []string{"CLIENT_ID=" + server.Ready().NativeClientID, "HOME=" + t.TempDir(), "LOCALAPPDATA=" + t.TempDir()}
	tool := func(args ...string) *exec.Cmd {
		return command(t, server, env, "tool", append([]string{"-no-browser", "-url", transfer.URL}, args...)...)
	}

	var stderr bytes.Buffer
	before := tool("-cron")
	before.Stderr = &stderr
	if before.Run() == nil {
		t.Error("the cron job succeeded without a login")
	}
	wantText(t, stderr.String(), "log in first", "a new login is needed")

	const want = "SUCCEEDED survey data\nACTIVE backup\n"
	if got := logIn(t, server, tool()); got != want {
		t.Errorf("first run: got %q", got)
	}
	if got := succeed(t, tool("-cron")); got != want {
		t.Errorf("second run: got %q", got)
	}
	server.Advance(72 * time.Hour) // the access token expires at the service only
	if got := succeed(t, tool("-cron")); got != want {
		t.Errorf("run after an expiry: got %q", got)
	}
	if grants := server.Stats().Grants; grants["authorization_code"]["ok"] != 1 || grants["refresh_token"]["ok"] != 1 {
		t.Errorf("got %v, want one login and one refresh", grants)
	}
	refused := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(refused.Close)
	denied := tool("-cron", "-url", refused.URL)
	stderr.Reset()
	denied.Stderr = &stderr
	if denied.Run() == nil {
		t.Error("the tool succeeded although the service refused the request")
	}
	wantText(t, stderr.String(), "403")
	succeed(t, tool("-logout"))
	if tool("-cron").Run() == nil {
		t.Error("the cron job succeeded after the logout")
	}
}

// A signal during a refresh with a rotated refresh token does not lose the login.
func TestTool_SignalDuringRefresh(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	server := authtest.NewWith(t, authtest.Config{RotateRefreshTokens: true})
	transfer := service(t, server, `{"DATA":[]}`)
	env := []string{"CLIENT_ID=" + server.Ready().NativeClientID, "HOME=" + t.TempDir()}
	tool := func(args ...string) *exec.Cmd {
		return command(t, server, env, "tool", append([]string{"-no-browser", "-url", transfer.URL}, args...)...)
	}
	logIn(t, server, tool())
	server.Advance(72 * time.Hour)
	server.Inject(authtest.Fault{Kind: authtest.FaultSlowBody, Latency: time.Second, Operation: "token", Times: 1})
	ended := tool("-cron")
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	for server.Stats().Grants["refresh_token"]["ok"] == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the tool does not refresh")
		}
		runtime.Gosched()
	}
	if err := ended.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = ended.Wait()
	succeed(t, tool("-cron"))
}

// logIn opens the link that the program prints, and enters the code.
func logIn(t *testing.T, server *authtest.Server, cmd *exec.Cmd) string {
	t.Helper()
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		seen.WriteString(lines.Text() + "\n")
		if at := strings.Index(lines.Text(), server.BaseURL()); at >= 0 {
			target, err := server.Login(t.Context(), "alice@example.edu", lines.Text()[at:])
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(stdin, target.Query().Get("code")+"\n")
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &seen)
	}
	return stdout.String()
}

// A user signs in, is shown by name, and signs out.
func TestPortal(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	address := freeAddress(t)
	site := "http://" + address
	client := server.AddClient(authtest.Client{Name: "Portal", Secret: "portal-secret-of-this-test", RedirectURIs: []string{site + "/callback"}})
	env := []string{"CLIENT_ID=" + client.ID, "CLIENT_SECRET=portal-secret-of-this-test"}
	serve(t, command(t, server, env, "portal", "-listen", address, "-redirect-uri", site+"/callback"), address)

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := server.Client()
	browser.Jar = jar
	wantText(t, get(t, browser, site+"/", "").body, "Sign in with Globus")
	page := get(t, browser, site+"/login?next=/", "")
	wantText(t, page.body, "Signed in as alice@example.edu.")
	if page.url != site+"/" {
		t.Errorf("the login ended at %s", page.url)
	}
	wantText(t, get(t, browser, site+"/settings", "").body, "Settings of alice@example.edu")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/logout", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", site)
	wantText(t, do(t, browser, req).body, "Sign in with Globus")
}

func TestService(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	out := succeed(t, command(t, server, credentials(server.Ready()), "service", "alice@example.edu", "unknown@example.edu"))
	wantText(t, out, "alice@example.edu "+server.Ready().Users[0].IdentityID, "unknown@example.edu is unknown\n")

	var stderr bytes.Buffer
	bad := command(t, server, []string{"CLIENT_ID=" + server.Ready().ConfidentialClientID, "CLIENT_SECRET=wrong"}, "service", "alice@example.edu")
	bad.Stderr = &stderr
	if bad.Run() == nil {
		t.Error("a wrong secret was accepted")
	}
	wantText(t, stderr.String(), "status 401")
}

func TestResourceServer(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	api := server.AddClient(authtest.Client{Name: "API", Secret: "api-secret-of-this-test", Scopes: []authtest.Scope{
		{Suffix: "jobs", DependsOn: []authtest.Dependency{{Scope: string(scopes.GroupsViewMyGroups)}}},
		{Suffix: "other"},
	}})
	const operators = "7d3c2b1a-0f9e-4d8c-b7a6-5e4d3c2b1a09"
	if err := server.Add(authtest.World{Groups: []authtest.Group{{ID: operators, Name: "Operators", Members: []string{"alice@example.edu"}}}}); err != nil {
		t.Fatal(err)
	}
	issue := func(user, scope string, age time.Duration) string {
		return server.Issue(authtest.Grant{User: user, Client: server.Ready().NativeClientID, Scopes: []string{scope}, Age: age})[0].AccessToken
	}
	const alice, bob = "alice@example.edu", "bob@example.edu"
	jobs, other := api.Scopes[0].Scope, api.Scopes[1].Scope
	good := issue(alice, jobs, 0)
	address := freeAddress(t)
	env := []string{"CLIENT_ID=" + api.ID, "CLIENT_SECRET=api-secret-of-this-test", "JOBS_SCOPE=" + jobs, "OPERATORS=" + operators, "LISTEN=" + address}
	serve(t, command(t, server, env, "resourceserver"), address)

	for _, test := range []struct {
		name, path, token string
		status            int
		want              string
	}{
		{"no token", "/whoami", "", http.StatusUnauthorized, "a token is required"},
		{"unknown token", "/whoami", "no-such-token", http.StatusUnauthorized, "invalid_token"},
		{"token for another service", "/whoami", issue(alice, string(scopes.TransferAll), 0), http.StatusUnauthorized, "invalid_token"},
		{"expired token", "/whoami", issue(alice, jobs, 72*time.Hour), http.StatusUnauthorized, "invalid_token"},
		{"token with another scope", "/whoami", issue(alice, other, 0), http.StatusForbidden, `"required_scopes":["` + jobs + `"]`},
		{"good token", "/whoami", good, http.StatusOK, `"username":"alice@example.edu"`},
		{"fresh login", "/reports", good, http.StatusOK, `"for alice@example.edu"`},
		{"old login", "/reports", issue(alice, jobs, time.Hour), http.StatusForbidden, `"session_required_single_domain":["example.edu"],"prompt":"login"`},
		{"member of the group", "/machines", good, http.StatusOK, `"machines"`},
		{"not in the group", "/machines", issue(bob, jobs, 0), http.StatusForbidden, `"Forbidden"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := get(t, server.Client(), "http://"+address+test.path, test.token)
			if got.status != test.status {
				t.Errorf("got status %d, want %d", got.status, test.status)
			}
			wantText(t, got.body, test.want)
		})
	}
}

// The first run creates everything, the second changes nothing, the third changes one
// value.
func TestAdministration(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	ready := server.Ready()
	token := server.Issue(authtest.Grant{User: "alice@example.edu", Client: ready.NativeClientID, Scopes: []string{string(scopes.AuthManageProjects)}})[0].AccessToken
	administration := func(args ...string) string {
		return succeed(t, command(t, server, []string{"ACCESS_TOKEN=" + token}, "administration", append([]string{"-project", ready.ProjectID}, args...)...))
	}
	out := administration()
	wantText(t, out, "policy created: laboratory\n", "client created: laboratory API\n", "first [redacted]}\n", "/read\n")
	if got := strings.Count(out, "scope created: "); got != 1 {
		t.Errorf("got %d scopes, want 1:\n%s", got, out)
	}
	for _, client := range server.Snapshot().Clients {
		for _, credential := range client.Credentials {
			if strings.Contains(out, credential.Secret) {
				t.Error("the output contains a secret")
			}
		}
	}
	if got := administration(); got != "policy unchanged: laboratory\nclient unchanged: laboratory API\n" {
		t.Errorf("second run: got %q", got)
	}
	wantText(t, administration("-timeout", "600"), "policy updated: timeout 600\n")
	wantText(t, administration("-timeout", "0"), "policy updated: timeout 0\n")
	policies := server.Snapshot().Policies
	if last := policies[len(policies)-1]; last.Timeout != nil || len(last.Include) != 1 {
		t.Errorf("got %+v, want no timeout and one domain", last)
	}
}
