package examples_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	_ "github.com/globusauth/globusauth/identitymap" // the programs use it
)

// bin is the directory of the programs, which the first test builds.
var (
	bin   string
	built sync.Once
)

func TestMain(m *testing.M) {
	os.Exit(runInTemporaryDirectory(m))
}

func runInTemporaryDirectory(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin = dir
	return m.Run()
}

func build(t *testing.T) {
	t.Helper()
	// go test reuses a cached result only if the files that the test read are unchanged.
	sources, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator),
		"./tool", "./portal", "./service", "./resourceserver", "./administration")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// command prepares a program that uses the server.
func command(t *testing.T, server *authtest.Server, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	built.Do(func() { build(t) })
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), append(env, "GLOBUS_SDK_SERVICE_URL_AUTH="+server.BaseURL())...)
	return cmd
}

// succeed runs a program to its end and returns its standard output.
func succeed(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	return string(out)
}

// credentials are the environment of a program that acts as the confidential client.
func credentials(ready authtest.Ready) []string {
	return []string{"CLIENT_ID=" + ready.ConfidentialClientID, "CLIENT_SECRET=" + ready.ConfidentialClientSecret}
}

// freeAddress returns a loopback address with a free port.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// serve starts a program and waits until it listens.
func serve(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("the program ended:\n%s", &output)
		case <-ctx.Done():
			t.Fatal("the program does not listen")
		}
	}
}

// response is the response after all redirects.
type response struct {
	status int
	header http.Header
	url    string
	body   string
}

// get sends the token unless it is empty.
func get(t *testing.T, client *http.Client, address, token string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, client, req)
}

func do(t *testing.T, client *http.Client, req *http.Request) response {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, resp.Request.URL.String(), body.String()}
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(got, text) {
			t.Errorf("%q is missing in:\n%s", text, got)
		}
	}
}

// service is another Globus service, which accepts all tokens of the server.
func service(t *testing.T, server *authtest.Server, body string) *httptest.Server {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, issued := range server.Snapshot().State.Access {
			if issued.Value == token {
				_, _ = w.Write([]byte(body))
				return
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(site.Close)
	return site
}
