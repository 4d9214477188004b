//go:build interop

package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens/filestore"
)

var installed sync.Once

const root = "../../.." // of the repository

// install builds the provider into a home directory, where the engine finds it without a registry.
func install(t *testing.T) {
	t.Helper()
	installed.Do(func() {
		for _, registry := range []string{"registry.opentofu.org", "registry.terraform.io"} {
			program := filepath.Join(home, ".terraform.d/plugins", registry, "globusauth/globusauth/0.1.0", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-globusauth")
			command := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
			command.Dir = root + "/terraform"
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	})
}

// session is a directory with configuration, and a shell in it.
type session struct {
	*world
	dir string
	env map[string]string
}

// newSession copies files into a new directory.
func newSession(t *testing.T, files ...string) *session {
	t.Helper()
	w := newWorld(t)
	install(t)
	dir := t.TempDir()
	s := &session{world: w, dir: dir, env: map[string]string{
		"HOME": home, "PATH": os.Getenv("PATH"), "TF_CLI_CONFIG_FILE": "", "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
		"TF_LOG": "TRACE", "TF_LOG_PATH": filepath.Join(dir, "trace.log"),
		"GLOBUS_SDK_SERVICE_URL_AUTH": w.server.BaseURL(), "GLOBUS_AUTH_ACCESS_TOKEN": w.token,
	}}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Base(name), string(text))
	}
	return s
}

// storeLogin logs the administrator in as the command does, and returns the directory of the login.
func (s *session) storeLogin() string {
	s.Helper()
	dir := s.TempDir()
	store, err := filestore.New(filestore.Config{AppName: "globus-auth", Dir: dir})
	if err != nil {
		s.Fatal(err)
	}
	config := apptest.Config(s, s.server, "alice@example.edu")
	config.Store, config.Scopes = store, scopes.List{scopes.AuthManageProjects, scopes.AuthViewIdentities}
	user, err := app.NewUser(config)
	if err == nil {
		err = user.Login(s.Context(), app.LoginOptions{})
	}
	if err != nil {
		s.Fatal(err)
	}
	return dir
}

func (s *session) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// tofu runs the engine, and returns its output and exit status.
func (s *session) tofu(args ...string) (output string, status int) {
	s.Helper()
	command := exec.CommandContext(context.WithoutCancel(s.Context()), engine, args...)
	command.Dir = s.dir
	for name, value := range s.env {
		if value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Run(); err != nil && command.ProcessState == nil {
		s.Fatal(err)
	}
	return out.String(), command.ProcessState.ExitCode()
}

// succeed runs the engine, which must not fail.
func (s *session) succeed(args ...string) string {
	s.Helper()
	out, status := s.tofu(append(args, "-no-color")...)
	if status != 0 {
		s.Fatalf("tofu %s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

func (s *session) want(out, pattern string) {
	s.Helper()
	if !regexp.MustCompile(pattern).MatchString(out) {
		s.Errorf("the output does not match %s:\n%s", pattern, out)
	}
}

// shell runs commands where the last ones ended, and returns their output.
func (s *session) shell(commands string) string {
	s.Helper()
	state := filepath.Join(s.dir, "shell")
	command := exec.CommandContext(s.Context(), "sh", "-c", "set -e\nif [ -f "+state+" ]; then . "+state+"; cd \"$here\"; fi\n"+commands+"here=$(pwd)\nexport here\nexport -p >"+state)
	command.Dir = root
	for name, value := range s.env {
		command.Env = append(command.Env, name+"="+value)
	}
	out, err := command.CombinedOutput()
	if err != nil {
		s.Fatalf("%s%v\n%s", commands, err, out)
	}
	return string(out)
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// The guide, command by command: each prints what the guide shows.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/docs/guides/terraform.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t)
	maps.Copy(s.env, map[string]string{
		"HOME": s.dir, "PATH": s.dir + ":" + os.Getenv("PATH"), "GLOBUS_AUTH_ACCESS_TOKEN": "", "GLOBUS_AUTH_STORE_DIR": s.TempDir(),
		"TF_CLI_ARGS_apply": "-auto-approve -no-color", "TF_CLI_ARGS_plan": "-no-color", "TF_CLI_ARGS_destroy": "-auto-approve -no-color", // apply and destroy ask
	})
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		s.env[name] = strings.TrimSpace(string(out))
	}
	if err := os.Symlink(engine, filepath.Join(s.dir, "tofu")); err != nil {
		t.Fatal(err)
	}
	s.shell("go build -o ~/globus-auth ./cmd/globus-auth\n")
	before := s.server.Snapshot()
	here := strings.NewReplacer("http://127.0.0.1:8765/", s.server.BaseURL(), "registry.opentofu.org", os.Getenv("TF_ACC_PROVIDER_HOST"))
	var made string // the last ID that was printed
	for _, block := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(here.Replace(string(text)), -1) {
		if block[1] == "terraform" {
			s.shell("cat >analysis.tf <<'END'\n" + uuid.ReplaceAllString(block[2], made) + "END\n")
			continue
		}
		for _, step := range strings.Split("\n"+block[2], "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			out := s.shell(command + "\n")
			if id := uuid.FindString(out); id != "" {
				made = id
			}
			for line := range strings.Lines(uuid.ReplaceAllString(want, "ID")) {
				if !strings.Contains(uuid.ReplaceAllString(out, "ID"), strings.TrimSpace(line)) {
					t.Errorf("%s does not print %s but:\n%s", command, line, out)
				}
			}
		}
	}
	if after := s.server.Snapshot(); len(after.Clients) != len(before.Clients) || len(after.Projects) != len(before.Projects) {
		t.Error("objects are left over")
	}
	s.checkLog()
}

// A provider whose credentials are those of an ephemeral resource: they are in no state, no plan and no log, and are
// deleted after each run.
func TestEphemeralCredential(t *testing.T) {
	t.Parallel()
	if !ephemeral() {
		t.Skip("the engine has no ephemeral resources")
	}
	s := newSession(t)
	id := s.server.Ready().ConfidentialClientID
	s.write("main.tf", fmt.Sprintf(`
		terraform {
			required_providers {
				globusauth = { source = "globusauth/globusauth" }
			}
		}
		ephemeral "globusauth_client_credential" "run" {
			client = %q
			name   = "for one run"
		}
		provider "globusauth" {
			alias         = "portal"
			client_id     = ephemeral.globusauth_client_credential.run.client
			client_secret = ephemeral.globusauth_client_credential.run.secret
		}
		resource "globusauth_client" "child" {
			provider    = globusauth.portal
			name        = "Child"
			client_type = "confidential_client"
		}`, id))
	s.succeed("init")
	s.want(s.succeed("apply", "-auto-approve"), `Resources: 1 added, 0 changed, 0 destroyed`)
	s.want(s.succeed("plan", "-detailed-exitcode", "-out=plan"), `No changes`)
	for _, client := range s.server.Snapshot().Clients {
		if client.ID == id && len(client.Credentials) != 1 {
			t.Errorf("the client has %d credentials, want the built-in one", len(client.Credentials))
		}
	}
	state, err := os.ReadFile(filepath.Join(s.dir, "terraform.tfstate"))
	if err != nil || bytes.Contains(state, []byte("fake-secret-")) {
		t.Errorf("the state has the secret: %v", err)
	}
	s.checkLog()
}

// The credentials that a provider can have, wherever it has them from, are in no log.
func TestProvider_LogHasNoSecret(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	ready := s.server.Ready()
	secretFile := filepath.Join(s.dir, "secret")
	s.write("secret", ready.ConfidentialClientSecret)
	id := ready.ConfidentialClientID
	for n, credentials := range []struct {
		settings    string
		environment map[string]string
	}{
		{settings: fmt.Sprintf("access_token = %q", s.token)},
		{environment: map[string]string{"GLOBUS_AUTH_ACCESS_TOKEN": s.token}},
		{settings: fmt.Sprintf("client_id = %q\nclient_secret = %q", id, ready.ConfidentialClientSecret)},
		{environment: map[string]string{"GLOBUS_AUTH_CLIENT_ID": id, "GLOBUS_AUTH_CLIENT_SECRET": ready.ConfidentialClientSecret}},
		{environment: map[string]string{"GLOBUS_AUTH_CLIENT_ID": id, "GLOBUS_AUTH_CLIENT_SECRET_FILE": secretFile}},
		{environment: map[string]string{"GLOBUS_AUTH_STORE_DIR": s.storeLogin()}},
	} {
		for _, name := range []string{"GLOBUS_AUTH_ACCESS_TOKEN", "GLOBUS_AUTH_CLIENT_ID", "GLOBUS_AUTH_CLIENT_SECRET", "GLOBUS_AUTH_CLIENT_SECRET_FILE", "GLOBUS_AUTH_STORE_DIR"} {
			s.env[name] = credentials.environment[name]
		}
		s.settings = credentials.settings
		s.write("main.tf", s.config(fmt.Sprintf(`
			data "globusauth_userinfo" "me" {}
			resource "globusauth_client_instance" "made" {
				template_id = %q
				name        = "Instance %d"
			}`, ready.TemplateID, n)))
		if n == 0 {
			s.succeed("init")
		}
		s.want(s.succeed("apply", "-auto-approve"), "Apply complete!")
	}
	s.succeed("destroy", "-auto-approve")
	s.checkLog()
}

// checkLog checks that the log of all runs has no secret, and is one of the provider too.
func (s *session) checkLog() {
	s.Helper()
	text, err := os.ReadFile(s.env["TF_LOG_PATH"])
	if err != nil {
		s.Fatal(err)
	}
	if !bytes.Contains(text, []byte("globusauth: request")) || !bytes.Contains(text, []byte("[TRACE] provider.terraform-provider-globusauth")) {
		s.Error("the log lacks the provider's requests")
	}
	for _, kind := range []string{"fake-access-", "fake-refresh-", "fake-secret-"} { // of the test double
		if bytes.Contains(text, []byte(kind)) {
			s.Errorf("the log has a secret %s...", kind)
		}
	}
	if !strings.HasPrefix(s.token, "fake-access-") {
		s.Error("tokens have another form")
	}
	for _, form := range []string{"Bearer ", "Basic "} {
		if bytes.Contains(text, []byte(form)) {
			s.Errorf("the log has %q", form)
		}
	}
}
