//go:build unix

package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// runWithConfig runs a command with a configuration file.
func runWithConfig(t *testing.T, path string, args ...string) result {
	t.Helper()
	var out, errs syncBuffer
	env := environment{"GLOBUS_AUTH_CONFIG": path, "GLOBUS_AUTH_STORE_DIR": t.TempDir()}
	code := cli.Run(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, env.get)
	return result{code, out.String(), errs.String()}
}

// A configuration file that cannot be used is named, without what it holds, and ends no command that needs none.
func TestConfigFile_Unusable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	device := filepath.Join(dir, "device")
	if err := os.Symlink("/dev/zero", device); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{fifo: "is not a regular file", device: "is not a regular file", dir: "is not a regular file", "-": "no such file"}
	for name, row := range map[string][2]string{
		"garbage":     {"\x00\xff\xfehunter2", "is invalid"},
		"long":        {strings.Repeat("# hunter2\n", 200_000), "is invalid"},
		"list":        {"[hunter2]", "is invalid"},
		"nested":      {"client_id: {hunter2: 1}", "is invalid"},
		"twice":       {"store: hunter2\nstore: file", "is invalid"},
		"bomb":        {"a: &a [x,x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nstore: *c", "is invalid"},
		"unknown":     {"tokens: hunter2", `unknown field "tokens"`},
		"secret":      {"client_secret: hunter2", `unknown field "client_secret"`},
		"escapes":     {`"\e[31m\u202e": hunter2`, "unknown field"},
		"environment": {`environment: "\e[31m"`, "unknown environment"},
		"store":       {`store: "\e[31m\u202e"`, "is invalid"},
		"format":      {`format: "\e]0;x\a"`, "is invalid"},
		"client":      {`client_id: "\e[31m"`, "is not a UUID"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(row[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		paths[path] = row[1]
	}
	for path, want := range paths {
		r := runWithConfig(t, path, "whoami")
		odd := strings.ContainsFunc(r.errs, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
		if r.code != cli.ExitUsage || r.out != "" || !strings.Contains(r.errs, path) || !strings.Contains(r.errs, want) || odd || strings.Contains(r.errs, "hunter2") {
			t.Errorf("%s: %+v, want %q", path, r, want)
		}
		if r := runWithConfig(t, path, "scopes", "parse", "openid"); r.code != cli.ExitOK || !strings.HasPrefix(r.out, "openid\n") {
			t.Errorf("%s: a command without settings: %+v", path, r)
		}
		if r := runWithConfig(t, path, "__complete", "token", ""); r.code != cli.ExitOK || r.out != ":4\n" {
			t.Errorf("%s: completion: %+v", path, r)
		}
	}
}

// Editors of other systems write a byte order mark and CRLF. Numbers are text, and a missing value is none.
func TestConfigFile_Forms(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\ufeffformat: csv\r\nstore: file\r\n", "---\nformat: csv\n", "{format: csv}", "# c\n\nformat:   'csv' # d\nclient_id:\n"} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := runWithConfig(t, path, "tokens", "profiles"); r.code != cli.ExitOK || r.out != "CLIENT,PROFILE,ENVIRONMENT,USER,RESOURCE SERVERS\n" {
			t.Errorf("%q: %+v", text, r)
		}
	}
}
