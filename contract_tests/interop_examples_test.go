//go:build interop

package contract_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/authtest"
)

func TestEmulator_Examples(t *testing.T) {
	t.Parallel()
	command := buildCommand(t)
	t.Run("github-actions", func(t *testing.T) {
		t.Parallel()
		workflowExample(t, command)
	})
	t.Run("container", func(t *testing.T) {
		t.Parallel()
		containerExample(t, command)
	})
}

// workflowExample runs the steps of the example for GitHub Actions and sends a
// request between them.
func workflowExample(t *testing.T, command string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "github-actions", "tests.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Env   map[string]string `yaml:"env"`
			Steps []struct {
				Name string `yaml:"name"`
				Run  string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	job := workflow.Jobs["tests"]
	if job.Env["EMULATOR_LISTEN"] != "127.0.0.1:8765" {
		t.Errorf("EMULATOR_LISTEN is %q", job.Env["EMULATOR_LISTEN"])
	}
	temp, exported := t.TempDir(), filepath.Join(t.TempDir(), "env")
	step := func(name string) string {
		t.Helper()
		for _, s := range job.Steps {
			if !strings.HasPrefix(s.Name, name) {
				continue
			}
			shell := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", s.Run)
			shell.Env = append(os.Environ(), "RUNNER_TEMP="+temp, "GITHUB_ENV="+exported, "EMULATOR_LISTEN=127.0.0.1:0",
				"PATH="+filepath.Dir(command)+string(os.PathListSeparator)+os.Getenv("PATH"))
			output, err := shell.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, output)
			}
			return string(output)
		}
		t.Fatalf("no step %q", name)
		return ""
	}
	t.Cleanup(func() { // in case the last step is not reached
		stop := exec.Command("bash", "-c", `kill "$(cat "$0")" 2>/dev/null`, filepath.Join(temp, "emulator.pid")) //nolint:noctx // The test's context has ended.
		_ = stop.Run()
	})
	step("Start the emulator")
	env := map[string]string{}
	lines, err := os.ReadFile(exported)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	var ready, asked authtest.Ready
	if err := json.Unmarshal([]byte(env["EMULATOR"]), &ready); err != nil {
		t.Fatalf("EMULATOR: %v: %s", err, lines)
	}
	if ready.BaseURL == "" || ready.BaseURL != env["GLOBUS_SDK_SERVICE_URL_AUTH"] {
		t.Fatalf("GLOBUS_SDK_SERVICE_URL_AUTH is %q, the emulator is at %q", env["GLOBUS_SDK_SERVICE_URL_AUTH"], ready.BaseURL)
	}
	getJSON(t, ready.BaseURL+"_authtest/ready", &asked)
	if asked.NativeClientID != ready.NativeClientID {
		t.Errorf("another emulator responds: %v", asked)
	}
	getJSON(t, ready.BaseURL+".well-known/openid-configuration", &map[string]any{})
	if log := step("Stop the emulator"); !strings.Contains(log, "operation=getOpenIDConfiguration") {
		t.Errorf("the log does not show the request:\n%s", log)
	}
}

// containerExample checks that the container file builds a static binary and runs
// the command with valid flags.
func containerExample(t *testing.T, command string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "container", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var entry, more []string
	for line := range strings.Lines(string(text)) {
		for prefix, into := range map[string]*[]string{"ENTRYPOINT ": &entry, "CMD ": &more} {
			if rest, found := strings.CutPrefix(line, prefix); found {
				if err := json.Unmarshal([]byte(rest), into); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
			}
		}
	}
	if !bytes.Contains(text, []byte("RUN CGO_ENABLED=0 go build -ldflags=-s -o /globus-auth ./cmd/globus-auth\n")) || !bytes.Contains(text, []byte("\nFROM scratch\n")) {
		t.Error("the binary is not static")
	}
	if len(entry) == 0 || entry[0] != "/globus-auth" || len(more) == 0 {
		t.Fatalf("it runs %v %v", entry, more)
	}
	// A missing seed ends the command after it has parsed the flags and before it
	// listens.
	args := slices.Concat(entry[1:], more, []string{"--seed", filepath.Join(t.TempDir(), "none.yaml")})
	output, err := exec.CommandContext(t.Context(), command, args...).CombinedOutput()
	if err == nil || !bytes.Contains(output, []byte("none.yaml")) {
		t.Errorf("%v: %v\n%s", args, err, output)
	}
}
