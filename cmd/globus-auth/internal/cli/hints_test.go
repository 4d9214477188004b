package cli_test

import (
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
	"github.com/globusauth/globusauth/scopes"
)

// pasted runs the command line of a hint as a shell reads it.
func (d *desk) pasted(errs string) result {
	d.t.Helper()
	quoted := regexp.MustCompile(`run ("[^"]+")`).FindStringSubmatch(errs)
	if quoted == nil {
		d.t.Fatalf("no hint in %q", errs)
	}
	line, err := strconv.Unquote(quoted[1])
	if err != nil {
		d.t.Fatal(err)
	}
	words, err := exec.CommandContext(d.t.Context(), "sh", "-c", `printf '%s\n' `+strings.TrimPrefix(line, "globus-auth ")).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	return d.run(strings.Split(strings.TrimSpace(string(words)), "\n")...)
}

// A command that an error names acts on the login that the command line chose, also when others exist.
func TestRun_HintsActOnTheSameLogin(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	d := newDesk(t)
	native := d.server.Ready().NativeClientID
	d.login()
	chosen := []string{"--client-id", native, "--profile", "it's $(mine)", "--store", "sqlite", "--store-dir", t.TempDir()}
	with := func(args ...string) []string { return append(args, chosen...) }
	r := d.run(with("whoami")...)
	if r.code != cli.ExitNotLoggedIn {
		t.Fatalf("%+v", r)
	}
	if r = d.pasted(r.errs); r.code != cli.ExitOK {
		t.Fatalf("login: %+v", r)
	}
	d.must(with("whoami")...)
	r = d.run(with("project", "list")...)
	if r.code != cli.ExitAuthorization {
		t.Fatalf("%+v", r)
	}
	if r = d.pasted(r.errs); r.code != cli.ExitOK {
		t.Fatalf("session consent: %+v", r)
	}
	d.must(with("project", "list")...)
	if r = d.run("project", "list"); r.code != cli.ExitAuthorization {
		t.Errorf("the other login has the scope too: %+v", r)
	}
	r = d.run(with("token", scopes.GroupsResourceServer)...)
	if want := ` --profile 'it'\\''s $(mine)' --store sqlite `; r.code != cli.ExitAuthorization || !strings.Contains(r.errs, want) {
		t.Errorf("%+v, want %q", r, want)
	}
	// What the environment chooses needs no flag.
	d.env["GLOBUS_AUTH_CLIENT_ID"], d.env["GLOBUS_AUTH_PROFILE"] = native, "other"
	if r = d.run("whoami"); !strings.Contains(r.errs, `run "globus-auth login --base-url `+d.server.BaseURL()+`" first`) {
		t.Errorf("%+v", r)
	}
}

// A client ID that is none is refused before anything is sent or stored.
func TestRun_ClientIDIsNoUUID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"nonsense", "7fb58e00-839d-44e3-8047-10a502612dc", "{7fb58e00-839d-44e3-8047-10a502612dca}", "../../x", "\x1b[31m"} {
		for _, args := range [][]string{
			{"login"},
			{"login", "--no-browser"},
			{"whoami"},
			{"token", "auth.globus.org"},
			{"tokens"},
			{"logout", "--forget"},
			{"session", "update"},
			{"session", "consent", "openid"},
			{"introspect", "--token-file", "-"},
			{"id-token", "verify", "a.b.c"},
		} {
			d := newDesk(t)
			d.in = strings.NewReader("code\n")
			want := `the client ID ` + strconv.Quote(id) + `, from --client-id, is not a UUID`
			if r := d.run(append([]string{"--client-id", id}, args...)...); r.code != cli.ExitUsage || r.out != "" || !strings.Contains(r.errs, want) {
				t.Errorf("%q: %+v, want %s", args, r, want)
			}
			if n := len(d.server.Requests()); n > 0 {
				t.Errorf("%q: %d requests", args, n)
			}
		}
	}
	d := newDesk(t)
	d.env["GLOBUS_AUTH_CLIENT_ID"] = "nonsense"
	if r := d.run("whoami"); r.code != cli.ExitUsage || !strings.Contains(r.errs, "from GLOBUS_AUTH_CLIENT_ID, is not a UUID") {
		t.Errorf("%+v", r)
	}
	if r := d.run("doctor"); r.code != cli.ExitFailed || !strings.Contains(r.out, "is not a UUID") {
		t.Errorf("%+v", r)
	}
}
