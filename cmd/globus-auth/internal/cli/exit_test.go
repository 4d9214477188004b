package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
	"github.com/globusauth/globusauth/scopes"
)

const unknownID = "00000000-0000-4000-8000-000000000000"

// Each exit code of the table happens, and means what the table says.
func TestRun_ExitCodes(t *testing.T) {
	t.Parallel()
	token := func(names ...string) func(*desk) {
		return func(d *desk) { d.token(names...) }
	}
	fault := func(operation string, status int, body string) func(*desk) {
		return func(d *desk) {
			d.token("openid", string(scopes.AuthManageProjects))
			d.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: operation, Status: status, Body: body})
		}
	}
	const required = `{"code":"AuthorizationRequired","message":"m","authorization_parameters":{"session_required_mfa":true}}`
	for name, row := range map[string]struct {
		prepare func(*desk)
		args    []string
		code    int
		says    string // on standard error
	}{
		"success":          {nil, []string{"jwks"}, cli.ExitOK, ""},
		"help":             {nil, []string{"help"}, cli.ExitOK, ""},
		"failure":          {token(string(scopes.AuthManageProjects)), []string{"api", "GET", "/v2/api/projects", "--jq", ".x.y.z[]"}, cli.ExitFailed, "--jq: "},
		"forbidden":        {fault("getProjects", http.StatusForbidden, `{"errors":[{"status":"403","code":"FORBIDDEN","detail":"no"}]}`), []string{"project", "list"}, cli.ExitFailed, "FORBIDDEN"},
		"usage":            {nil, []string{"project", "list", "--colour"}, cli.ExitUsage, "there is no flag --colour"},
		"environment":      {func(d *desk) { d.env["GLOBUS_AUTH_STORE"] = "redis" }, []string{"whoami"}, cli.ExitUsage, "GLOBUS_AUTH_STORE"},
		"unknown topic":    {nil, []string{"help", "nosuch"}, cli.ExitUsage, `no command "nosuch"`},
		"not found":        {token(string(scopes.AuthManageProjects)), []string{"project", "show", unknownID}, cli.ExitNotFound, "NOT_FOUND"},
		"no identity":      {token(viewIdentities), []string{"identities", "nobody@example.edu"}, cli.ExitNotFound, "no such identity"},
		"no such path":     {token(string(scopes.AuthManageProjects)), []string{"api", "GET", "/v2/api/nowhere"}, cli.ExitNotFound, "status 404"},
		"not logged in":    {nil, []string{"whoami"}, cli.ExitNotLoggedIn, `run "globus-auth login`},
		"token is unknown": {func(d *desk) { d.env["GLOBUS_AUTH_ACCESS_TOKEN"] = "x" }, []string{"whoami"}, cli.ExitNotLoggedIn, "status 401"},
		"scope is missing": {func(d *desk) { d.login() }, []string{"project", "list"}, cli.ExitAuthorization, "lacks the scope"},
		"session required": {fault("getProjects", http.StatusForbidden, required), []string{"project", "list"}, cli.ExitAuthorization, `run "globus-auth session update --session-mfa --base-url http://`},
		"service is down": {func(d *desk) {
			d.login()
			d.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "token", Status: http.StatusServiceUnavailable})
		}, []string{"token", "auth.globus.org", "--refresh"}, cli.ExitUnavailable, "status 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if row.prepare != nil {
				row.prepare(d)
			}
			if r := d.run(row.args...); r.code != row.code || !strings.Contains(r.errs, row.says) || row.says == "" && r.errs != "" {
				t.Errorf("%+v, want exit %d with %q", r, row.code, row.says)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := newDesk(t)
	d.token("openid")
	if r := d.runWith(ctx, "whoami"); r.code != cli.ExitInterrupted || r.errs != "globus-auth: interrupted\n" {
		t.Errorf("%+v", r)
	}
}

// The table of the help is that of the documents.
func TestHelp_ExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../../docs/guides/command.md")
	if err != nil {
		t.Fatal(err)
	}
	out := newDesk(t).must("help").out
	_, table, found := strings.Cut(out, "\nExit codes:\n")
	table, _, _ = strings.Cut(table, "\n\n")
	lines := strings.Split(table, "\n")
	if !found || len(lines) != 8 {
		t.Fatalf("the help has the exit codes %q", lines)
	}
	for _, line := range lines {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
		if row := "| " + code + " | " + strings.TrimSpace(meaning) + " |"; !strings.Contains(string(document), row) {
			t.Errorf("the document lacks %s", row)
		}
	}
}

// typing is standard input of which nothing comes until the test ends.
type typing struct {
	once         sync.Once
	asked, ended chan struct{}
}

func (i *typing) Read([]byte) (int, error) {
	i.once.Do(func() { close(i.asked) })
	<-i.ended
	return 0, io.EOF
}

// Ctrl-C ends a command that waits for standard input.
func TestRun_InterruptedWhileReading(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"login", "--no-browser", "--client-id", unknownID},
		{"identities"},
		{"project", "create", "--from", "-"},
		{"api", "POST", "/v2/api/projects", "--input", "-"},
		{"introspect", "--token-file", "-"},
		{"id-token", "decode"},
		{"emulator", "--listen", "127.0.0.1:0", "--seed", "-"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.token("openid")
			ctx, cancel := context.WithCancel(t.Context())
			in := &typing{asked: make(chan struct{}), ended: make(chan struct{})}
			defer close(in.ended)
			go func() {
				<-in.asked
				cancel()
			}()
			if args[0] != "emulator" && args[0] != "id-token" {
				args = d.withAddress(args)
			}
			var out bytes.Buffer
			var errs syncBuffer
			code := cli.Run(ctx, args, cli.Streams{In: in, Out: &out, Err: &errs}, environment(d.env).get)
			if code != cli.ExitInterrupted || !strings.Contains(errs.String(), "interrupted") {
				t.Errorf("exit %d, %s", code, errs.String())
			}
		})
	}
}
