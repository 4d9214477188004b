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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
	_ "github.com/globusauth/globusauth/identitymap" // the programs use it
)

// bin is where the programs are built, by the first test that needs one.
var (
	bin   string
	built sync.Once
)

func TestMain(m *testing.M) {
	os.Exit(inFolder(m))
}

func inFolder(m *testing.M) int {
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
	// Files that a test reads are what go test looks at to see whether an old result is
	// still good.
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

// command prepares a program with an environment that points to the double.
func command(t *testing.T, double *authtest.Server, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	built.Do(func() { build(t) })
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), append(env, "GLOBUS_SDK_SERVICE_URL_AUTH="+double.BaseURL())...)
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

// freeAddress is one where a program can listen.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// serve starts a program that listens, and waits until it does.
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

// answer is what came back, redirects followed.
type answer struct {
	status int
	header http.Header
	url    string
	body   string
}

// get asks with a token, unless it is empty.
func get(t *testing.T, client *http.Client, address, token string) answer {
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

func do(t *testing.T, client *http.Client, req *http.Request) answer {
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
	return answer{resp.StatusCode, resp.Header, resp.Request.URL.String(), body.String()}
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(got, text) {
			t.Errorf("%q is missing in:\n%s", text, got)
		}
	}
}

// service answers as another Globus service does, to tokens that the double has issued.
// Its wrong tokens are named.
func service(t *testing.T, double *authtest.Server, body string, wrong ...string) *httptest.Server {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, issued := range double.Snapshot().State.Access {
			if issued.Value == token && !slices.Contains(wrong, token) {
				_, _ = w.Write([]byte(body))
				return
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(site.Close)
	return site
}
