//go:build interop

package contract_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

const (
	guardedClient = "3f4c6a1e-9a5b-4f0e-8b61-6b1f5d2c7a10"
	guardedScope  = "https://auth.globus.org/scopes/" + guardedClient + "/jobs"
)

// TestGuard runs the examples of examples/guard: the command, behind the real proxies, in front of a program.
func TestGuard(t *testing.T) {
	t.Parallel()
	command := buildCommand(t)
	caddy := filepath.Join(t.TempDir(), "caddy")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../tools/caddy", "-o", caddy, "github.com/caddyserver/caddy/v2/cmd/caddy")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatalf("this test needs nginx: install the Debian package nginx-light: %v", err)
	}
	t.Run("nginx", func(t *testing.T) {
		t.Parallel()
		guardExample(t, command, "nginx.conf", "guard.nginx.yaml", func(config, dir string) []string {
			return []string{nginx, "-p", dir, "-c", config, "-g", "daemon off; pid nginx.pid;"}
		})
	})
	t.Run("caddy", func(t *testing.T) {
		t.Parallel()
		guardExample(t, command, "Caddyfile", "guard.caddy.yaml", func(config, _ string) []string {
			return []string{caddy, "run", "--config", config, "--adapter", "caddyfile"}
		})
	})
}

// guardExample sends requests through a proxy that asks the guard.
func guardExample(t *testing.T, command, proxyFile, guardFile string, run func(config, dir string) []string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	provider, err := authtest.NewServer(authtest.Config{BaseURL: "http://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = provider.Handler()
	server.Start()
	t.Cleanup(server.Close)
	if err := provider.Add(authtest.World{Clients: []authtest.Client{
		{ID: guardedClient, Name: "API", Secret: "api-secret", Scopes: []authtest.Scope{{Scope: guardedScope, Name: "jobs"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	alice := provider.Ready().Users[0]
	grant := authtest.Grant{User: alice.Username, Client: provider.Ready().NativeClientID, Scopes: []string{guardedScope}}
	fresh := provider.Issue(grant)[0].AccessToken
	grant.Age = time.Hour
	old := provider.Issue(grant)[0].AccessToken

	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"header": r.Header, "target": r.RequestURI, "body": string(body)})
	}))
	t.Cleanup(program.Close)

	dir := t.TempDir()
	guard := exec.Command(command, "guard", "--config", filepath.Join(dir, "guard.yaml")) //nolint:noctx // Cleanup ends it.
	copyExample(t, guardFile, filepath.Join(dir, "guard.yaml"), "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n")
	guard.Env = append(os.Environ(), "GLOBUS_AUTH_CLIENT_SECRET=api-secret", "GLOBUS_SDK_SERVICE_URL_AUTH="+provider.BaseURL())
	stdout, err := guard.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startProgram(t, guard)
	var addresses struct{ Listen string }
	if err := json.NewDecoder(stdout).Decode(&addresses); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := filepath.Join(dir, proxyFile)
	copyExample(t, proxyFile, config, "", "127.0.0.1:4180", addresses.Listen, "127.0.0.1:8000", strings.TrimPrefix(program.URL, "http://"), "8080", port)
	line := run(config, dir)
	proxy := exec.Command(line[0], line[1:]...) //nolint:noctx // Cleanup ends it.
	proxy.Env = append(os.Environ(), "HOME="+dir)
	startProgram(t, proxy)
	waitFor(t, "127.0.0.1:"+port)

	for _, test := range []struct {
		name, request string
		status        int
		body          string // contained
	}{
		{"anonymous allowed", "GET /status HTTP/1.1\n", 200, `"target":"/status"`},
		{"no token", "GET /jobs HTTP/1.1\n", 401, "Unauthorized"},
		{"unknown token", "GET /status HTTP/1.1\nAuthorization: Bearer unknown\n", 401, "invalid_token"},
		{"allowed", "GET /jobs?a=1 HTTP/1.1\nAuthorization: Bearer " + fresh + "\n", 200, `"X-Globus-Subject":["` + alice.IdentityID + `"]`},
		{"with a body", "POST /jobs HTTP/1.1\nAuthorization: Bearer " + fresh + "\nContent-Length: 5\n", 200, `"body":"hello"`},
		{"old session", "GET /admin/ HTTP/1.1\nAuthorization: Bearer " + old + "\n", 403, "authorization_parameters"},
		{"fresh session", "GET /admin/ HTTP/1.1\nAuthorization: Bearer " + fresh + "\n", 200, `"X-Globus-Session-Identity":["` + alice.IdentityID + `"]`},
		{"path without slash", "GET /admin HTTP/1.1\nAuthorization: Bearer " + old + "\n", 403, "authorization_parameters"},
		{"two slashes", "GET //admin/ HTTP/1.1\nAuthorization: Bearer " + old + "\n", 400, "invalid_request"},
		{"dots", "GET /a/%2e%2e/admin/ HTTP/1.1\nAuthorization: Bearer " + old + "\n", 400, "invalid_request"},
		{"encoded letter", "GET /%61dmin/ HTTP/1.1\nAuthorization: Bearer " + old + "\n", 403, "authorization_parameters"},
		{"headers of the proxy", "GET /jobs HTTP/1.1\nX-Original-URI: /status\nX-Original-Method: GET\nX-Forwarded-Uri: /status\nX-Forwarded-Method: GET\n", 401, "Unauthorized"},
		{"headers of the proxy, named", "GET /jobs HTTP/1.1\nConnection: X-Original-URI, X-Forwarded-Uri, Authorization\nX-Original-URI: /status\nX-Forwarded-Uri: /status\n", 401, "Unauthorized"},
		{"caller header", "GET /status HTTP/1.1\nX-Globus-Subject: evil\n", 400, "invalid_request"},
		{"caller header, named", "GET /status HTTP/1.1\nConnection: X-Globus-Subject\nX-Globus-Subject: evil\n", 0, ""},
		{"caller header, underscores", "GET /status HTTP/1.1\nX_Globus_Subject: evil\n", 0, ""},
		{"caller header, with a token", "GET /jobs HTTP/1.1\nX-Globus-Email: evil\nx_globus_subject: evil\nAuthorization: Bearer " + fresh + "\n", 0, ""},
	} {
		status, body := sendText(t, "127.0.0.1:"+port, test.request)
		if test.status != 0 && status != test.status || !strings.Contains(body, test.body) || strings.Contains(body, "evil") ||
			strings.Contains(body, fresh) || strings.Contains(body, old) {
			t.Errorf("%s: status %d, want %d with %q: %s", test.name, status, test.status, test.body, body)
		}
	}

	provider.Inject(authtest.Fault{Kind: authtest.FaultMalformed, Operation: "introspect"})
	grant.Age = 0
	if status, body := sendText(t, "127.0.0.1:"+port, "GET /jobs HTTP/1.1\nAuthorization: Bearer "+provider.Issue(grant)[0].AccessToken+"\n"); status != http.StatusServiceUnavailable {
		t.Errorf("Globus Auth is down: status %d: %s", status, body)
	}
}

// copyExample copies a file of examples/guard with text at its end, and with replaced addresses.
func copyExample(t *testing.T, name, to, more string, replace ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "guard", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(replace...).Replace(string(text))+more), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startProgram runs a program until the test ends. An interrupt must end it without an error.
func startProgram(t *testing.T, program *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	program.Stderr = &log
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(5*time.Minute, func() { _ = program.Process.Kill() })
	t.Cleanup(func() {
		defer hung.Stop()
		_ = program.Process.Signal(syscall.SIGTERM)
		err := program.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 130) {
			t.Errorf("%s: %v", program.Path, err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", program.Path, log.String())
		}
	})
}

// freePort returns a port that no program listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// waitFor waits until a program listens.
func waitFor(t *testing.T, address string) {
	t.Helper()
	for range 300 {
		if connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address); err == nil {
			_ = connection.Close()
			return
		}
		time.Sleep(100 * time.Millisecond) // Another process starts.
	}
	t.Fatalf("no program listens at %s", address)
}

// sendText sends a request, of which a Content-Length is for "hello".
func sendText(t *testing.T, address, request string) (status int, body string) {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	end := "\n"
	if strings.Contains(request, "Content-Length") {
		end = "\nhello"
	}
	line, headers, _ := strings.Cut(request, "\n")
	_, _ = io.WriteString(connection, strings.ReplaceAll(line+"\nHost: api\n"+headers+end, "\n", "\r\n"))
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return response.StatusCode, string(text)
}
