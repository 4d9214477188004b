package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

// code is a cell of a table with one command and nothing else.
var code = regexp.MustCompile("^`([^`]+)`$")

// Every command of the page for users of the official client does what the page says.
func TestFromGlobusCLI_Commands(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/from-globus-cli.md")
	if err != nil {
		t.Fatal(err)
	}
	typed := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`globus ") {
			continue
		}
		official := code.FindStringSubmatch(strings.TrimSpace(cells[0]))
		ours := code.FindStringSubmatch(strings.TrimSpace(cells[1]))
		if official == nil || ours == nil && (strings.TrimSpace(cells[1]) != "-" || len(strings.TrimSpace(cells[2])) < 10) {
			t.Errorf("not a row: %s", line)
			continue
		}
		typed[official[1]] = true
		t.Run(official[1], func(t *testing.T) {
			t.Parallel()
			if ours != nil {
				d := newDeskWithLogin(t)
				if r := d.types(ours[1]); r.code != cli.ExitOK {
					t.Errorf("%s: exit %d\n%s%s", ours[1], r.code, r.out, r.errs)
				}
			}
			d := newDeskWithLogin(t)
			if r := d.types(official[1]); r.code == cli.ExitUsage && strings.Contains(r.errs, "; see ") {
				t.Errorf("%s leads nowhere: %s", official[1], r.errs)
			} else if r.code != cli.ExitOK && r.code != cli.ExitUsage {
				t.Errorf("%s: exit %d\n%s%s", official[1], r.code, r.out, r.errs)
			}
		})
	}
	for _, command := range []string{
		"login", "logout", "whoami", "get-identities", "session show", "session update", "session consent", "cli-profile-list", "api auth",
		"list-commands", "version", "update",
	} {
		found := false
		for line := range typed {
			found = found || line == "globus "+command || strings.HasPrefix(line, "globus "+command+" ")
		}
		if !found {
			t.Errorf("the page has no row for %q", "globus "+command)
		}
	}
}

func newDeskWithLogin(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.env["GLOBUS_AUTH_CLIENT_ID"] = d.server.Ready().NativeClientID
	d.login()
	return d
}

// types runs a command line of the page.
func (d *desk) types(line string) result {
	d.t.Helper()
	_, line, _ = strings.Cut(line, " ")
	args := strings.Fields(strings.ReplaceAll(line, "POLICY", d.server.Ready().PolicyID))
	if line != "version" && line != "tokens profiles" && !strings.HasPrefix(line, "completion") { // which send no request
		return d.run(args...)
	}
	var out, errs syncBuffer
	code := cli.Run(d.t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, func(name string) string { return d.env[name] })
	return result{code, out.String(), errs.String()}
}
