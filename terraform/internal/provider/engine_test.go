//go:build interop

package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/gen"
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
	dir        string
	env        map[string]string
	stored     []string        // secrets of a stored login
	transcript strings.Builder // of all commands
}

// newSession copies files into a new directory.
func newSession(t *testing.T, files ...string) *session {
	t.Helper()
	w := newWorld(t)
	install(t)
	s := &session{world: w, dir: t.TempDir(), env: map[string]string{
		"HOME": home, "PATH": os.Getenv("PATH"), "TF_CLI_CONFIG_FILE": "", "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
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
	set, err := user.Tokens(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, token := range set.All() {
		s.stored = append(s.stored, token.AccessToken, token.RefreshToken)
	}
	return dir
}

func (s *session) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// globusAuth builds the command and runs it with the stored login, and returns its output.
func (s *session) globusAuth(args ...string) string {
	s.Helper()
	program := filepath.Join(s.TempDir(), "globus-auth")
	build := exec.CommandContext(s.Context(), "go", "build", "-o", program, "./cmd/globus-auth")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	command := exec.CommandContext(s.Context(), program, args...)
	for name, value := range s.env {
		if value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	out, err := command.Output()
	if err != nil {
		s.Fatalf("globus-auth %s: %v", strings.Join(args, " "), err)
	}
	return strings.Trim(string(out), "\"\n")
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
	s.transcript.WriteString(out.String())
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

// The example, as a user applies it: a second plan has no changes, drift shows, an existing client
// is imported, and everything is destroyed. No secret is in the log.
func TestExample(t *testing.T) {
	t.Parallel()
	s := newSession(t, root+"/examples/terraform/main.tf")
	s.env["TF_VAR_administrators"] = `["alice@example.edu"]`
	s.env["GLOBUS_AUTH_ACCESS_TOKEN"], s.env["GLOBUS_AUTH_STORE_DIR"] = "", s.storeLogin()
	s.env["TF_LOG"], s.env["TF_LOG_PATH"] = "TRACE", filepath.Join(s.dir, "trace.log")
	before := len(s.server.Snapshot().Clients)
	s.want(s.succeed("init"), `Installed globusauth/globusauth v0\.1\.0`)
	s.want(s.succeed("apply", "-auto-approve"), `Apply complete! Resources: 8 added, 0 changed, 0 destroyed\.`)
	s.want(s.succeed("plan", "-detailed-exitcode"), `No changes\. Your infrastructure matches the configuration\.`)
	s.want(s.succeed("apply", "-auto-approve"), `Resources: 0 added, 0 changed, 0 destroyed\.`)

	// Drift.
	portal := strings.TrimSpace(s.succeed("output", "-raw", "portal"))
	if _, err := s.auth.UpdateClient(t.Context(), portal, gen.UpdateClientBody{Client: gen.ClientUpdate{
		RedirectURIs: nullable.NewNullableWithValue([]string{"https://old.example.edu/callback"}),
	}}); err != nil {
		t.Fatal(err)
	}
	out := s.succeed("plan")
	s.want(out, `- "https://old\.example\.edu/callback"`)
	s.want(out, `\+ "https://portal\.example\.edu/callback"`)
	s.want(out, `Plan: 0 to add, 1 to change, 0 to destroy\.`)
	s.succeed("apply", "-auto-approve")

	// A client that exists already.
	snapshot := s.server.Snapshot()
	project := snapshot.Projects[len(snapshot.Projects)-1].ID
	made := s.globusAuth("client", "create", "--project", project, "--name", "Analysis", "--client-type", "public_installed_client", "--jq", ".client.id")
	s.write("analysis.tf", fmt.Sprintf("import {\n  to = globusauth_client.analysis\n  id = %q\n}\n", made)+`
resource "globusauth_client" "analysis" {
  project     = globusauth_project.laboratory.id
  name        = "Analysis"
  client_type = "public_installed_client"
}
`)
	s.want(s.succeed("apply", "-auto-approve"), `Resources: 1 imported, 0 added, 0 changed, 0 destroyed\.`)

	secrets := s.stored
	for _, client := range s.server.Snapshot().Clients {
		for _, credential := range client.Credentials {
			secrets = append(secrets, credential.Secret)
		}
	}
	out = s.succeed("destroy", "-auto-approve")
	s.want(out, `Destroy complete! Resources: 9 destroyed\.`)
	s.want(out, `Deleting the client Laboratory portal deletes more`)
	if got := len(s.server.Snapshot().Clients); got != before {
		t.Errorf("%d clients are left over", got-before)
	}
	s.checkLog(secrets)

	// The guide shows what has been printed.
	guide, err := os.ReadFile(root + "/docs/guides/terraform.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	printed := ids.ReplaceAllString(s.transcript.String(), "ID")
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		for line := range strings.Lines(ids.ReplaceAllString(block[1], "ID")) {
			if !strings.HasPrefix(line, "$ ") && !strings.Contains(printed, strings.TrimSpace(line)) {
				t.Errorf("the guide has a line that is not printed: %s", line)
			}
		}
	}
}

// A provider whose credentials are those of an ephemeral resource: they are in no state, no plan and no log, and are
// deleted after each run.
func TestEphemeralCredential(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	s.env["TF_LOG"], s.env["TF_LOG_PATH"] = "TRACE", filepath.Join(s.dir, "trace.log")
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
	s.checkLog([]string{s.token, "fake-secret-"})
}

// checkLog checks that the log of all runs has no secret, and is one of the provider too.
func (s *session) checkLog(secrets []string) {
	s.Helper()
	text, err := os.ReadFile(s.env["TF_LOG_PATH"])
	if err != nil {
		s.Fatal(err)
	}
	if !bytes.Contains(text, []byte("globusauth: request")) || !bytes.Contains(text, []byte("[TRACE] provider.terraform-provider-globusauth")) {
		s.Error("the log lacks the provider's requests")
	}
	for _, secret := range secrets {
		if secret == "" || bytes.Contains(text, []byte(secret)) {
			s.Errorf("the log has the secret %.20q", secret)
		}
	}
	for _, form := range []string{"Bearer ", "Basic "} {
		if bytes.Contains(text, []byte(form)) {
			s.Errorf("the log has %q", form)
		}
	}
}
