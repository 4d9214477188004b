package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// desk is a user's machine: a token directory, the environment, and a test double of
// the service.
type desk struct {
	t      *testing.T
	server *authtest.Server
	env    map[string]string
	tell   func(redirectURI string, callback url.Values) string // what is typed; nil: the code
	in     io.Reader                                            // standard input, in place of what is typed
	hint   string                                               // username that logs in
	last   url.Values                                           // the parameters of the last login
}

// tokenFile is where the command keeps the login.
func (d *desk) tokenFile() string {
	d.t.Helper()
	store, err := filestore.New(filestore.Config{AppName: "globus-auth", Dir: d.env["GLOBUS_AUTH_STORE_DIR"]})
	if err != nil {
		d.t.Fatal(err)
	}
	path, err := store.Path(tokens.Key{ClientID: d.server.Ready().NativeClientID, Address: d.server.BaseURL()})
	if err != nil {
		d.t.Fatal(err)
	}
	return path
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskWith(t, authtest.Config{Deterministic: true})
}

func newDeskWith(t *testing.T, config authtest.Config) *desk {
	t.Helper()
	return &desk{t: t, server: authtest.NewWith(t, config), env: map[string]string{"GLOBUS_AUTH_STORE_DIR": t.TempDir(), "SSH_TTY": "/dev/pts/0"}}
}

// result is how a command ended.
type result struct {
	code      int
	out, errs string
}

// run runs the command. If it prints a link, the person opens it and types what
// comes back.
func (d *desk) run(args ...string) result {
	d.t.Helper()
	return d.runWith(d.t.Context(), args...)
}

func (d *desk) runWith(ctx context.Context, args ...string) result {
	d.t.Helper()
	outReader, outWriter := io.Pipe()
	inReader, inWriter := io.Pipe()
	var out bytes.Buffer
	var errs syncBuffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewReader(outReader)
		for {
			line, err := lines.ReadString('\n')
			out.WriteString(line)
			if strings.HasPrefix(line, d.server.BaseURL()+"v2/oauth2/authorize") {
				typed := d.follow(ctx, strings.TrimSpace(line)) + "\n"
				go func() { _, _ = io.WriteString(inWriter, typed) }()
			}
			if err != nil {
				return
			}
		}
	}()
	var in io.Reader = inReader
	if d.in != nil {
		in = d.in
	}
	code := cli.Run(ctx, d.withAddress(args),
		cli.Streams{In: in, Out: outWriter, Err: &errs}, func(name string) string { return d.env[name] })
	_, _ = outWriter.Close(), inReader.Close()
	<-read
	return result{code, out.String(), errs.String()}
}

// withAddress adds the address of the service to a command line that takes it.
func (d *desk) withAddress(args []string) []string {
	if args[0] == "help" || args[0] == "scopes" {
		return args
	}
	return append([]string{"--base-url", d.server.BaseURL()}, args...)
}

// follow opens the link as a signed-in person's browser and returns what is typed.
func (d *desk) follow(ctx context.Context, link string) string {
	target, err := url.Parse(link)
	if err != nil {
		d.t.Error(err)
		return ""
	}
	d.last = target.Query()
	if d.hint != "" {
		query := target.Query()
		query.Set("login_hint", d.hint)
		target.RawQuery = query.Encode()
	}
	browser := d.server.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		d.t.Error(err)
		return ""
	}
	resp, err := browser.Do(req)
	if err != nil {
		d.t.Error(err)
		return ""
	}
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		d.t.Errorf("the server redirects nowhere: %s", resp.Status)
		return ""
	}
	callback := location.Query()
	location.RawQuery = ""
	if d.tell != nil {
		return d.tell(location.String(), callback)
	}
	return callback.Get("code")
}

// must runs a command that succeeds.
func (d *desk) must(args ...string) result {
	d.t.Helper()
	r := d.run(args...)
	if r.code != cli.ExitOK {
		d.t.Fatalf("%q: exit %d\n%s%s", args, r.code, r.out, r.errs)
	}
	return r
}

// login logs in to the native client.
func (d *desk) login(args ...string) result {
	d.t.Helper()
	return d.must(append([]string{"login", "--client-id", d.server.Ready().NativeClientID}, args...)...)
}

// clean replaces what differs from run to run.
func (d *desk) clean(text string) string {
	text = strings.ReplaceAll(text, strings.TrimSuffix(d.server.BaseURL(), "/"), "http://127.0.0.1:PORT")
	text = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(text, "YYYY-MM-DDThh:mm:ssZ")
	return regexp.MustCompile(`"last_authentication": \d+`).ReplaceAllString(text, `"last_authentication": 0`)
}

// shows compares the result of a command with a golden file.
func (d *desk) shows(name string, code int, args ...string) {
	d.t.Helper()
	r := d.run(args...)
	if r.code != code {
		d.t.Errorf("%q: exit %d, want %d\n%s%s", args, r.code, code, r.out, r.errs)
	}
	compare(d.t, name, d.clean(render(r.code, r.out, r.errs)))
}
