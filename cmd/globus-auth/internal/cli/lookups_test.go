package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
)

const (
	viewIdentities = "urn:globus:auth:scope:auth.globus.org:view_identities"
	viewConsents   = "urn:globus:auth:scope:auth.globus.org:view_consents"
	transferAll    = "urn:globus:auth:scope:transfer.api.globus.org:all"
)

// newLookupDesk is a desk with a ready token of alice, and with people whose
// names are hard to show.
func newLookupDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	for username, name := range map[string]string{
		"wide@example.org":    "山田 太郎",
		"family@example.org":  "👨‍👩‍👧 Family",
		"marks@example.org":   "Zoe\u0308 Mu\u0308ller",
		"hostile@example.org": "\x1b[2J\u009b\u202eevil\n<b>&",
		"long@example.org":    strings.Repeat("long ", 20) + "name",
	} {
		d.server.AddUser(authtest.User{Username: username, Name: name, Organization: "Example", ID: idOf(username)})
	}
	d.token(viewIdentities, viewConsents)
	return d
}

// idOf makes an ID of a username, so that golden files do not depend on order.
func idOf(username string) string {
	return fmt.Sprintf("f0000000-0000-4000-8000-%012x", []byte(username)[:6])
}

// token puts a token of alice into the environment.
func (d *desk) token(scopes ...string) {
	d.t.Helper()
	ready := d.server.Ready()
	issued := d.server.Issue(authtest.Grant{User: ready.Users[0].Username, Client: ready.NativeClientID, Scopes: scopes})
	d.env["GLOBUS_AUTH_ACCESS_TOKEN"] = issued[0].AccessToken
}

func TestIdentities_Output(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		in   string
		code int
	}{
		"identities-table": {args: []string{
			"wide@example.org", "bob@example.edu", "family@example.org", "F0000000-0000-4000-8000-6d61726b7340",
			"hostile@example.org", "long@example.org", "alice@example.edu", "bob@example.edu",
		}},
		"identities-table-stdin": {in: "bob@example.edu\nalice@example.edu\n"},
		"identities-json":        {args: []string{"--format", "json", "BOB@example.edu", "hostile@example.org", "alice@example.edu"}},
		"identities-json-none":   {args: []string{"--format", "json", "--missing-ok", "nobody@example.edu"}},
		"identities-jsonl-stdin": {
			args: []string{"--format", "jsonl"}, code: cli.ExitNotFound,
			in: "\ufeff\n alice@example.edu \r\n\n" + strings.Repeat("x", 70_000) + "\nbob@example.edu",
		},
		"identities-missing":    {args: []string{"alice@example.edu", "nobody@example.edu"}, code: cli.ExitNotFound},
		"identities-missing-ok": {args: []string{"--missing-ok", "nobody@example.edu"}},
		"identities-no-keys":    {args: []string{"alice", "a@b,c@d", "\x1b]0;title\a@example.edu", "", "{f0000000-0000-4000-8000-000000000001}"}, code: cli.ExitNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newLookupDesk(t)
			d.in = strings.NewReader(test.in)
			d.shows(name, test.code, append([]string{"identities"}, test.args...)...)
		})
	}
}

func TestIdentities_Provision(t *testing.T) {
	t.Parallel()
	d := newLookupDesk(t)
	for _, provision := range []string{"false", "true"} {
		_ = d.run("identities", "--missing-ok", "--provision="+provision, "new@example.edu")
		d.server.AssertRequested(authtest.Request{Operation: "getIdentities", Query: url.Values{"provision": {provision}}})
	}
}

// crowd is so many keys, one a line.
func crowd(n int) io.Reader {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "user%d@example.edu\n", i)
	}
	return strings.NewReader(b.String())
}

// A token that is refused once is not tried with every key.
func TestIdentities_GivesUp(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*desk){
		"bad token": func(d *desk) { d.env["GLOBUS_AUTH_ACCESS_TOKEN"] = "bad" },
		"forbidden": func(d *desk) {
			d.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusForbidden, Operation: "getIdentities", Body: `{"errors":[{"status":"403","code":"FORBIDDEN","detail":"no"}]}`})
		},
		"malformed": func(d *desk) {
			d.server.Inject(authtest.Fault{Kind: authtest.FaultMalformed, Operation: "getIdentities", Body: `{}`})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newLookupDesk(t)
			prepare(d)
			d.in = crowd(20_000)
			r := d.run("identities", "--format", "jsonl")
			want := cli.ExitFailed
			if name == "bad token" {
				want = cli.ExitNotLoggedIn
			}
			if r.code != want || r.out != "" || !strings.Contains(r.errs, "globus-auth: no response for the request with \"user") ||
				!strings.Contains(r.errs, "\nglobus-auth: gave up, because every other key would fail in the same way: 0 found, 0 not found\n") {
				t.Errorf("%+v", r)
			}
			if lines := strings.Count(r.errs, "\n"); lines > 3 {
				t.Errorf("%d lines:\n%s", lines, r.errs)
			}
			if n := len(d.server.Requests()); n > 60 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A request that fails costs its own keys, in one line.
func TestIdentities_FailedRequest(t *testing.T) {
	t.Parallel()
	d := newLookupDesk(t)
	d.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusConflict, Operation: "getIdentities", Nth: 3, Times: 1})
	d.in = io.MultiReader(strings.NewReader("alice@example.edu\n"), crowd(999))
	r := d.run("identities", "--missing-ok", "--format", "jsonl")
	if r.code != cli.ExitFailed || strings.Count(r.errs, "globus-auth: no response for ") != 1 ||
		!strings.Contains(r.errs, ", 100 without a response\n") {
		t.Errorf("exit %d, %s", r.code, r.errs)
	}
}

// slowService responds to the request for the first keys of a crowd, and holds the
// others until they are canceled.
func slowService(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Query().Get("usernames"), "user0@") {
			<-r.Context().Done()
			return
		}
		var people []string
		for i, name := range strings.Split(r.URL.Query().Get("usernames"), ",") {
			people = append(people, fmt.Sprintf(`{"id":"f0000000-0000-4000-8000-%012d","username":%q}`, i, name))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"identities":[`+strings.Join(people, ",")+`]}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// writerFunc is a function as a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

// An interruption leaves what was found, whole.
func TestIdentities_Interrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	var errs syncBuffer
	count := writerFunc(func(text []byte) (int, error) {
		if n, err := out.Write(text); err != nil {
			return n, err
		}
		cancel() // no other request has a response
		return len(text), nil
	})
	code := cli.Run(ctx, []string{"--base-url", slowService(t), "identities", "--format", "jsonl"},
		cli.Streams{In: crowd(350), Out: count, Err: &errs}, environment{"GLOBUS_AUTH_ACCESS_TOKEN": "t"}.get)
	found := strings.Count(out.String(), "\n")
	if found < 50 || found > 100 {
		t.Errorf("%d found", found)
	}
	if want := fmt.Sprintf("globus-auth: interrupted: %d found, 0 not found; the other keys have no response\n", found); code != cli.ExitInterrupted || errs.String() != want {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

// An interruption ends the wait for keys as well.
func TestIdentities_InterruptedBeforeFirstKey(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in, keyboard := io.Pipe()
	defer func() { _ = keyboard.Close() }() // which ends the reader
	d := newLookupDesk(t)
	d.in = writerReader{in, cancel}
	r := d.runWith(ctx, "identities", "--format", "json")
	if want := "globus-auth: interrupted: 0 found, 0 not found; the other keys have no response\n"; r.code != cli.ExitInterrupted || r.out != "[]\n" || r.errs != want {
		t.Errorf("%+v", r)
	}
}

// writerReader tells when a read starts.
type writerReader struct {
	io.Reader
	reading func()
}

func (r writerReader) Read(text []byte) (int, error) {
	r.reading()
	return r.Reader.Read(text)
}

func TestRun_ReadAndWriteErrors(t *testing.T) {
	t.Parallel()
	d := newLookupDesk(t)
	d.in = io.MultiReader(strings.NewReader("alice@example.edu\n"), iotest.ErrReader(errors.New("disk on fire")))
	r := d.run("identities")
	if r.code != cli.ExitFailed || !strings.Contains(r.out, "alice@example.edu") || r.errs != "globus-auth: keys cannot be read after 1 found, 0 not found: disk on fire\n" {
		t.Errorf("%+v", r)
	}
	full := writerFunc(func([]byte) (int, error) { return 0, errors.New("disk full") })
	for _, args := range [][]string{
		{"identities", "alice@example.edu"},
		{"identities", "--format", "json", "alice@example.edu"},
		{"identities", "--format", "jsonl", "alice@example.edu"},
		{"identities", "--format", "json", "--missing-ok", "nobody@example.edu"},
		{"scopes", "parse", "a[b]"},
		{"token", "auth.globus.org"},
	} {
		var errs syncBuffer
		code := cli.Run(t.Context(), d.withAddress(args),
			cli.Streams{In: strings.NewReader(""), Out: full, Err: &errs}, environment(d.env).get)
		if code != cli.ExitFailed || strings.Count(errs.String(), "disk full") != 1 {
			t.Errorf("%q: exit %d, %s", args, code, errs.String())
		}
	}
}

func TestConsentsTree_Output(t *testing.T) {
	t.Parallel()
	d := newLookupDesk(t)
	alice, bob := d.server.Ready().Users[0], d.server.Ready().Users[1]
	d.server.Issue(authtest.Grant{User: alice.Username, Client: d.server.Ready().ConfidentialClientID, Scopes: []string{d.server.Ready().DependentGrant.Scope}})

	d.server.ResetStats()
	d.shows("consents-tree", cli.ExitOK, "consents", "tree", alice.IdentityID)
	d.server.AssertOperations("getConsents") // an ID is not looked up
	d.shows("consents-tree", cli.ExitOK, "consents", "tree", alice.Username)
	d.server.AssertRequested(authtest.Request{Operation: "getConsents", Path: "/v2/api/identities/" + alice.IdentityID + "/consents"})
	d.shows("consents-tree-all", cli.ExitOK, "consents", "tree", "--all", alice.Username)
	d.shows("consents-tree-jq", cli.ExitOK, "consents", "tree", alice.Username, "--jq", ".[] | {id, scope_name, status}")
	d.shows("consents-tree-csv", cli.ExitOK, "consents", "tree", alice.Username, "--format", "csv")
	d.shows("consents-tree-not-found", cli.ExitNotFound, "consents", "tree", "nobody@example.edu")
	d.shows("consents-tree-no-key", cli.ExitNotFound, "consents", "tree", "ali\x1b[31mce")
	d.shows("consents-tree-forbidden", cli.ExitFailed, "consents", "tree", bob.IdentityID)

	for name, body := range map[string]string{
		"consents-tree-none":    `{"consents":[]}`,
		"consents-tree-null":    `{"consents":null}`,
		"consents-tree-orphan":  `{"consents":[{"id":2,"dependency_path":[1,2],"scope_name":"a"}]}`,
		"consents-tree-hostile": `{"consents":[{"id":2,"dependency_path":[2],"scope_name":"a\u001b[31m","client":"c","status":"approved"}]}`,
	} {
		code := cli.ExitOK
		if name == "consents-tree-null" || name == "consents-tree-orphan" {
			code = cli.ExitFailed
		}
		id := d.server.Inject(authtest.Fault{Kind: authtest.FaultMalformed, Operation: "getConsents", Body: body})
		d.shows(name, code, "consents", "tree", alice.IdentityID)
		d.server.ClearFaults(id)
	}
}

// Every verb that calls the service takes the token of the environment.
func TestRun_AccessTokenOfEnvironment(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.token("openid", "profile", "email", viewIdentities, "urn:globus:auth:scope:auth.globus.org:view_identity_set")
	if r := d.must("token", "auth.globus.org"); r.out != d.env["GLOBUS_AUTH_ACCESS_TOKEN"]+"\n" {
		t.Errorf("%+v", r)
	}
	for _, args := range [][]string{{"whoami"}, {"session", "show"}, {"identities", "alice@example.edu"}} {
		if r := d.must(args...); !strings.Contains(r.out, "alice@example.edu") {
			t.Errorf("%q: %+v", args, r)
		}
	}
	for _, args := range [][]string{{"tokens"}, {"token", "transfer.api.globus.org"}, {"session", "update"}} {
		if r := d.run(args...); r.code != cli.ExitNotLoggedIn || !strings.Contains(r.errs, "GLOBUS_AUTH_ACCESS_TOKEN is a token, not a stored login") {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
