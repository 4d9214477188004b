package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// Ports, tokens and codes differ from run to run.
func cleanQuickstart(text string) string {
	text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "127.0.0.1:PORT")
	return regexp.MustCompile(`fake\.\.\.[\w-]{4}`).ReplaceAllString(text, "fake...XXXX")
}

func TestQuickstart_Output(t *testing.T) {
	t.Parallel()
	golden(t, "quickstart", command{args: []string{"quickstart"}, clean: cleanQuickstart})
}

// emulate runs the emulator until stop is called and returns its first line.
func emulate(t *testing.T, args ...string) (line string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	var errs bytes.Buffer
	code := make(chan int, 1)
	go func() {
		args := append([]string{"emulator", "--listen", "127.0.0.1:0", "--log", "none"}, args...)
		code <- cli.Run(ctx, args, cli.Streams{In: strings.NewReader(""), Out: writer, Err: &errs}, func(string) string { return "" })
		_ = writer.Close()
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("no first line: %v, exit code %d\n%s", err, <-code, errs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	done := -1
	stop = func() int {
		if cancel(); done < 0 {
			done = <-code
		}
		return done
	}
	t.Cleanup(func() { stop() })
	return line, stop
}

func TestEmulator_Ready(t *testing.T) {
	t.Parallel()
	line, stop := emulate(t)
	var ready map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for _, name := range []string{
		"base_url", "native_client_id", "confidential_client_id", "confidential_client_secret", "confidential_redirect_uri", "users",
		"project_id", "policy_id", "template_id", "fqdn", "identity_provider", "resource_scope", "dependent", "dependent_grant",
	} {
		if value := string(ready[name]); value == "" || value == `""` || value == "null" || value == "[]" {
			t.Errorf("%s is %q", name, value)
		}
	}
	var baseURL string
	if err := json.Unmarshal(ready["base_url"], &baseURL); err != nil || !strings.HasSuffix(baseURL, "/") {
		t.Fatalf("base_url %q, %v", baseURL, err)
	}
	if code := stop(); code != cli.ExitOK {
		t.Errorf("exit code %d after an interruption", code)
	}
	if _, err := get(t, baseURL); err == nil {
		t.Error("it still responds")
	}
}

func TestEmulator_InvalidFlags(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for name, c := range map[string]command{
		"emulator-remote": {args: []string{"emulator", "--listen", "0.0.0.0:0"}, code: cli.ExitUsage, clean: func(s string) string {
			return regexp.MustCompile(`\[::\]:\d+|0\.0\.0\.0:\d+`).ReplaceAllString(s, "ANY:PORT")
		}},
		"emulator-format":     {args: []string{"emulator", "--format", "xml"}, code: cli.ExitUsage},
		"emulator-log":        {args: []string{"emulator", "--log", "loud"}, code: cli.ExitUsage},
		"emulator-login":      {args: []string{"emulator", "--listen", "127.0.0.1:0", "--login", "never"}, code: cli.ExitUsage},
		"emulator-no-seed":    {args: []string{"emulator", "--seed", missing}, code: cli.ExitFailed, clean: func(s string) string { return strings.ReplaceAll(s, missing, "MISSING") }},
		"emulator-wrong-seed": {args: []string{"emulator", "--seed", filepath.Join("testdata", "wrong-seed.yaml")}, code: cli.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, c)
		})
	}
}

func TestEmulator_AllowRemote(t *testing.T) {
	t.Parallel()
	line, _ := emulate(t, "--listen", "0.0.0.0:0", "--allow-remote", "--key-ids")
	var ready struct {
		BaseURL string `json:"base_url"`
	}
	if err := json.Unmarshal([]byte(line), &ready); err != nil || !strings.HasPrefix(ready.BaseURL, "http://127.0.0.1:") {
		t.Fatalf("base_url %q, %v", ready.BaseURL, err)
	}
	resp, err := get(t, ready.BaseURL+"jwk.json")
	if err != nil || !strings.Contains(resp, `"kid"`) {
		t.Errorf("%v: %s", err, resp)
	}
}

// get reads a document on a connection of its own.
func get(t *testing.T, address string) (string, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestEmulator_FormatText(t *testing.T) {
	t.Parallel()
	line, _ := emulate(t, "--format", "text")
	if line != "Globus Auth emulator, a test double: it signs in any user without a password\n" {
		t.Errorf("got %q", line)
	}
}

// The reference needs nothing else, and its scripts cannot call the control API.
func TestEmulator_ServesTheReference(t *testing.T) {
	t.Parallel()
	line, _ := emulate(t)
	var ready struct {
		BaseURL string `json:"base_url"`
	}
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ready.BaseURL+"_authtest/reference", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // Only read.
	page, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil || !bytes.Contains(page, []byte("Globus Auth API")) {
		t.Errorf("status %d, %d bytes, %v", response.StatusCode, len(page), err)
	}
	if policy := response.Header.Get("Content-Security-Policy"); policy != "connect-src 'none'; frame-ancestors 'none'" {
		t.Errorf("policy %q", policy)
	}
	if regexp.MustCompile(`<(script|link)[^>]* (src|href)=`).Match(page) {
		t.Error("the page loads something")
	}
}
