package cli_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	// The person who runs the tests may use these for work.
	for _, name := range []string{
		"GLOBUS_SDK_ENVIRONMENT", "GLOBUS_SDK_SERVICE_URL_AUTH", "GLOBUS_SDK_HTTP_TIMEOUT", "GLOBUS_SDK_VERIFY_SSL",
		"HOME", "XDG_CONFIG_HOME", "AppData",
	} { // of their configuration file
		_ = os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}

// command is one run of the command and what it should do.
type command struct {
	args  []string
	in    string
	env   map[string]string
	code  int
	ctx   context.Context //nolint:containedctx // a test case
	clean func(string) string
}

// golden runs a command and compares exit code, output and errors with
// testdata/NAME.golden.
func golden(t *testing.T, name string, c command) {
	t.Helper()
	var out bytes.Buffer
	var errs syncBuffer
	if c.ctx == nil {
		c.ctx = t.Context()
	}
	code := cli.Run(c.ctx, c.args, cli.Streams{In: strings.NewReader(c.in), Out: &out, Err: &errs}, func(name string) string { return c.env[name] })
	got := render(code, out.String(), errs.String())
	if c.clean != nil {
		got = c.clean(got)
	}
	if code != c.code {
		t.Errorf("exit code %d, want %d\n%s", code, c.code, got)
	}
	compare(t, name, got)
}

// syncBuffer is standard error: several goroutines write to it.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func render(code int, out, errs string) string {
	return fmt.Sprintf("exit %d\n--- out\n%s--- err\n%s", code, out, errs)
}

// compare compares a text with testdata/NAME.golden.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestRun_Usage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]command{
		"unknown-verb":        {args: []string{"frobnicate"}, code: cli.ExitUsage},
		"unknown-topic":       {args: []string{"help", "session", "frobnicate"}, code: cli.ExitUsage},
		"unknown-subcommand":  {args: []string{"session", "frobnicate"}, code: cli.ExitUsage},
		"unknown-shell":       {args: []string{"completion", "tcsh"}, code: cli.ExitUsage},
		"token-file":          {args: []string{"introspect", "--token-file", "/nonexistent", "--client-id", "a"}, code: cli.ExitFailed},
		"extra-argument":      {args: []string{"whoami", "extra"}, code: cli.ExitUsage},
		"ignored-flag":        {args: []string{"--base-url", "http://127.0.0.1:1", "quickstart"}, code: cli.ExitUsage},
		"unknown-command":     {args: []string{"logn", "--client-id", "x"}, code: cli.ExitUsage},
		"unknown-letter":      {args: []string{"whoami", "-x"}, code: cli.ExitUsage},
		"flag-value":          {args: []string{"whoami", "--format"}, code: cli.ExitUsage},
		"flag-bool":           {args: []string{"login", "--session-mfa=maybe"}, code: cli.ExitUsage},
		"flag-duration":       {args: []string{"token", "a", "--min-valid", "soon"}, code: cli.ExitUsage},
		"flag-list":           {args: []string{"login", "--session-policies", `"a`}, code: cli.ExitUsage},
		"flag-syntax":         {args: []string{"login", "--=a"}, code: cli.ExitUsage},
		"flags-exclude":       {args: []string{"tokens", "--format", "json", "--jq", "."}, code: cli.ExitUsage},
		"flag-of-a-group":     {args: []string{"session", "--colour"}, code: cli.ExitUsage},
		"unknown-flag":        {args: []string{"identities", "--colour"}, code: cli.ExitUsage},
		"scopes-no-argument":  {args: []string{"scopes", "parse"}, code: cli.ExitUsage},
		"unknown-format":      {args: []string{"identities", "--format", "xml", "a@b"}, code: cli.ExitUsage},
		"no-token":            {args: []string{"consents", "tree", "alice@example.edu"}, env: map[string]string{"GLOBUS_AUTH_STORE_DIR": "/nonexistent"}, code: cli.ExitNotLoggedIn},
		"base-url-not-http":   {args: []string{"--base-url", "ftp://auth.example.org", "identities", "a@b"}, env: map[string]string{"GLOBUS_AUTH_ACCESS_TOKEN": "t"}, code: cli.ExitUsage},
		"base-url-plain":      {args: []string{"--base-url", "http://auth.example.invalid", "identities", "--help"}},
		"no-host":             {args: []string{"--base-url", "http://auth.example.invalid", "consents", "tree", "a@b"}, env: map[string]string{"GLOBUS_AUTH_STORE_DIR": "/nonexistent"}, code: cli.ExitNotLoggedIn},
		"scopes-parse":        {args: []string{"scopes", "parse", "openid a[*c b[d]]  a[b[e]]"}},
		"scopes-parse-json":   {args: []string{"scopes", "parse", "--format", "jsonl", "openid a[*c b[d]]"}},
		"scopes-parse-csv":    {args: []string{"scopes", "parse", "--format", "csv", "openid a[*c b[d]]"}},
		"scopes-parse-empty":  {args: []string{"scopes", "parse", " "}},
		"scopes-parse-error":  {args: []string{"scopes", "parse", "a[b"}, code: cli.ExitFailed},
		"scopes-parse-cycle":  {args: []string{"scopes", "parse", "a[b[a]]"}, code: cli.ExitFailed},
		"scopes-parse-far":    {args: []string{"scopes", "parse", "urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/é/data_access]"}, code: cli.ExitFailed},
		"scopes-parse-colour": {args: []string{"scopes", "parse", "a\x1b[31m"}, code: cli.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, c)
		})
	}
}

// environment is what a command finds in its environment.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }
