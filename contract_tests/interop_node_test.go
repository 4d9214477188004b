//go:build interop

package contract_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

const npmInstall = "npm ci --prefix contract_tests/js"

// TestEmulator_NodeClients runs the JavaScript SDK and openid-client against the
// command. Each script has its own emulator; each of its tests is a subtest.
func TestEmulator_NodeClients(t *testing.T) {
	t.Parallel()
	checkNode(t)
	command := buildCommand(t)
	for _, script := range []struct {
		name string
		args []string // of the emulator
		// used are operations that must have succeeded on this emulator: the script
		// cannot have called another server.
		used []string
	}{
		{
			name: "sdk.mjs",
			used: []string{"authorize", "token", "getUserinfo", "introspect", "revoke", "getIdentity", "getIdentities", "getConsents", "updateProject"},
		},
		{name: "sdk_login.mjs", used: []string{"authorize", "token", "getIdentity", "updateProject", "revoke"}},
		{name: "openid.mjs", used: []string{"getOpenIDConfiguration", "getJWKS", "authorize", "token", "getUserinfo", "introspect", "revoke"}},
		{name: "openid.mjs", args: []string{"--rotate-refresh-tokens"}, used: []string{"token"}},
	} {
		t.Run(strings.Join(append([]string{script.name}, script.args...), " "), func(t *testing.T) {
			t.Parallel()
			line := startEmulator(t, command, script.args...)
			report(t, runScript(t, script.name, line, script.args))
			succeeded := succeededOperations(t, line)
			for _, operation := range script.used {
				if !succeeded[operation] {
					t.Errorf("no request of %s succeeded", operation)
				}
			}
		})
	}
}

// checkNode fails unless Node and the packages of package.json are installed.
func checkNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("these tests need Node.js 20 or later, with npm: install it and run %q: %v", npmInstall, err)
	}
	var wanted struct {
		DevDependencies map[string]string `json:"devDependencies"`
	}
	readJSONFile(t, filepath.Join("js", "package.json"), &wanted)
	for name, version := range wanted.DevDependencies {
		var found struct {
			Version string `json:"version"`
		}
		path := filepath.Join("js", "node_modules", filepath.FromSlash(name), "package.json")
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s is not installed; run %q", name, npmInstall)
		}
		if readJSONFile(t, path, &found); found.Version != version {
			t.Fatalf("%s has version %s, want %s; run %q", name, found.Version, version, npmInstall)
		}
	}
}

func readJSONFile(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// buildCommand builds globus-auth and returns its path.
func buildCommand(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "globus-auth")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../cmd/globus-auth")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return path
}

// startEmulator runs the emulator until the test ends and returns its first
// line. An interrupt must end it without an error.
func startEmulator(t *testing.T, command string, args ...string) string {
	t.Helper()
	emulator := exec.Command(command, append([]string{"emulator", "--listen", "127.0.0.1:0"}, args...)...) //nolint:noctx // Cleanup ends it.
	var log bytes.Buffer
	emulator.Stderr = &log
	stdout, err := emulator.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := emulator.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(10*time.Minute, func() { _ = emulator.Process.Kill() })
	reader := bufio.NewReader(stdout)
	line, err := reader.ReadString('\n')
	t.Cleanup(func() {
		defer hung.Stop()
		_ = emulator.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, reader)
		if err := emulator.Wait(); err != nil {
			t.Errorf("the emulator: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the emulator:\n%s", log.String())
		}
	})
	if err != nil {
		t.Fatalf("the emulator wrote no first line: %v", err)
	}
	return line
}

type scriptResult struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	LeftOut bool   `json:"left_out"`
	Error   string `json:"error"`
}

// report runs a subtest for every test of a script.
func report(t *testing.T, results []scriptResult) {
	t.Helper()
	for _, result := range results {
		t.Run(result.Name, func(t *testing.T) {
			if result.LeftOut {
				t.Error("the test was skipped")
			}
			if !result.Passed {
				t.Error(result.Error)
			}
		})
	}
}

// runScript runs a script of node:test and returns the results of its tests.
func runScript(t *testing.T, name, ready string, args []string) []scriptResult {
	t.Helper()
	var known authtest.Ready
	if err := json.Unmarshal([]byte(ready), &known); err != nil {
		t.Fatalf("the emulator's first line: %v: %s", err, ready)
	}
	script := exec.CommandContext(t.Context(), "node", "--test-reporter=./reporter.mjs", "--test-reporter-destination=stdout", name)
	script.Dir = "js"
	script.Env = append(os.Environ(),
		"GLOBUS_SDK_SERVICE_URL_AUTH="+known.BaseURL, "EMULATOR="+strings.TrimSpace(ready), "EMULATOR_ARGS="+strings.Join(args, " "))
	var stdout, stderr bytes.Buffer
	script.Stdout, script.Stderr = &stdout, &stderr
	ended := script.Run()
	var results []scriptResult
	failed := false
	decoder := json.NewDecoder(&stdout)
	for decoder.More() {
		var result scriptResult
		if err := decoder.Decode(&result); err != nil {
			t.Fatalf("%s wrote something other than results: %v", name, err)
		}
		failed = failed || !result.Passed
		results = append(results, result)
	}
	if len(results) < 5 || ended != nil && !failed {
		t.Fatalf("%s: %d tests, %v\n%s", name, len(results), ended, stderr.String())
	}
	return results
}

// succeededOperations returns the operations of which a request succeeded.
func succeededOperations(t *testing.T, ready string) map[string]bool {
	t.Helper()
	var known authtest.Ready
	if err := json.Unmarshal([]byte(ready), &known); err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Operations map[string]map[string]int `json:"operations"`
	}
	getJSON(t, known.BaseURL+"_authtest/stats", &stats)
	succeeded := map[string]bool{}
	for operation, statuses := range stats.Operations {
		for status := range statuses {
			succeeded[operation] = succeeded[operation] || status < "400"
		}
	}
	return succeeded
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := drain(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: status %d, %v", url, resp.StatusCode, err)
	}
}
