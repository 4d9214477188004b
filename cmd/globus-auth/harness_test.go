package main_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/cmd/globus-auth/internal/cli"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// bin is where the command is built, by the first test that needs it.
var (
	bin   string
	built sync.Once
)

// testMain removes what was built after the tests.
type testMain struct{ *testing.M }

func (m testMain) Run() int {
	dir, err := os.MkdirTemp("", "globus-auth")
	if err != nil {
		panic(err)
	}
	bin = filepath.Join(dir, "globus-auth")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return m.M.Run()
}

func TestMain(m *testing.M) {
	testscript.Main(testMain{m}, map[string]func(){
		"globus-auth": func() {
			os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv))
		},
		"xdg-open": browse,
	})
}

// browse is a browser in which the first user is signed in: it opens a link, and ends.
func browse() {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, os.Args[1], http.NoBody)
	if err != nil {
		panic(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	_ = resp.Body.Close()
}

// machine is a home directory, an environment, and a service in place of Globus Auth.
type machine struct {
	t      *testing.T
	server *authtest.Server
	url    string
	home   string
	env    []string

	// If hold is set, responses to token requests wait for it, after the service has
	// processed the request. Each is sent to arrived.
	mu      sync.Mutex
	hold    chan struct{}
	arrived chan struct{}
}

func newMachine(t *testing.T, config authtest.Config) *machine {
	t.Helper()
	built.Do(func() {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	m := &machine{t: t, home: t.TempDir(), arrived: make(chan struct{}, 100)}
	site := httptest.NewUnstartedServer(nil)
	m.url = "http://" + site.Listener.Addr().String() + "/"
	config.BaseURL = strings.TrimSuffix(m.url, "/")
	server, err := authtest.NewServer(config)
	if err != nil {
		t.Fatal(err)
	}
	m.server = server
	site.Config.Handler = http.HandlerFunc(m.serve)
	site.Start()
	t.Cleanup(site.Close)
	m.env = []string{
		"HOME=" + m.home, "LOCALAPPDATA=" + m.home, "SSH_TTY=/dev/pts/0", "PATH=" + os.Getenv("PATH"),
		"GLOBUS_SDK_SERVICE_URL_AUTH=" + m.url, "GLOBUS_AUTH_CLIENT_ID=" + m.client(),
	}
	return m
}

func (m *machine) client() string { return m.server.Ready().NativeClientID }

func (m *machine) serve(w http.ResponseWriter, r *http.Request) {
	response := httptest.NewRecorder()
	m.server.Handler().ServeHTTP(response, r)
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil && strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		m.arrived <- struct{}{}
		<-hold
	}
	maps.Copy(w.Header(), response.Header())
	w.WriteHeader(response.Code)
	_, _ = w.Write(response.Body.Bytes())
}

// holdTokens makes responses to token requests wait until the function returned is called.
func (m *machine) holdTokens() (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold = make(chan struct{})
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		close(m.hold)
		m.hold = nil
	})
}

// store opens the store of the command.
func (m *machine) store(kind string) tokens.Store {
	m.t.Helper()
	dir := filepath.Join(m.home, ".globus", "app")
	var store tokens.Store
	var err error
	if kind == "sqlite" {
		store, err = sqlitestore.New(sqlitestore.Config{AppName: "globus-auth", Dir: dir})
	} else {
		store, err = filestore.New(filestore.Config{AppName: "globus-auth", Dir: dir})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return store
}

// logIn stores a login whose access tokens were issued some time ago.
func (m *machine) logIn(store tokens.Store, age time.Duration) {
	m.t.Helper()
	user := m.server.Ready().Users[0]
	issued := m.server.Issue(authtest.Grant{
		User: user.Username, Client: m.client(), Refresh: true, Age: age,
		Scopes: []string{"openid", "profile", "email", string(scopes.TransferAll)},
	})
	list := make([]tokens.Token, len(issued))
	for i, one := range issued {
		list[i] = tokens.Token{
			ResourceServer: one.ResourceServer, AccessToken: one.AccessToken, RefreshToken: one.RefreshToken, Scope: one.Scope,
			Expiry: one.Expires, Lifetime: 48 * time.Hour, IdentityID: user.IdentityID,
		}
	}
	set, err := tokens.NewSet(list...)
	if err != nil {
		m.t.Fatal(err)
	}
	key := tokens.Key{ClientID: m.client(), Address: m.url}
	if _, err := store.Update(m.t.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		m.t.Fatal(err)
	}
}

// process is a run of the command.
type process struct {
	*exec.Cmd
	out  bytes.Buffer
	errs transcript
}

// transcript is standard error, in which a text can be waited for.
type transcript struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func (e *transcript) Write(text []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text.Write(text)
	select {
	case e.changed <- struct{}{}:
	default:
	}
	return len(text), nil
}

func (e *transcript) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

// waitFor waits until a text was printed.
func (e *transcript) waitFor(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for !strings.Contains(e.String(), text) {
		select {
		case <-e.changed:
		case <-timeout:
			t.Fatalf("%q is not printed, but %q", text, e)
		}
	}
}

func (m *machine) start(args ...string) *process {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m.t.Cleanup(cancel)
	p := &process{Cmd: exec.CommandContext(ctx, bin, args...)}
	p.errs.changed = make(chan struct{}, 1)
	p.Env, p.Stdout, p.Stderr = m.env, &p.out, &p.errs
	if err := p.Start(); err != nil {
		m.t.Fatal(err)
	}
	return p
}

// run runs the command to its end.
func (m *machine) run(args ...string) (code int, out, errs string) {
	m.t.Helper()
	p := m.start(args...)
	_ = p.Wait()
	return p.ProcessState.ExitCode(), p.out.String(), p.errs.String()
}

// must runs a command that succeeds.
func (m *machine) must(args ...string) string {
	m.t.Helper()
	code, out, errs := m.run(args...)
	if code != 0 {
		m.t.Fatalf("%q: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

// fails runs a command that fails with a text in its error.
func (m *machine) fails(want string, args ...string) {
	m.t.Helper()
	code, out, errs := m.run(args...)
	if code == 0 || out != "" || !strings.Contains(errs, want) {
		m.t.Errorf("%q: exit %d, want a failure with %q\n%s%s", args, code, want, out, errs)
	}
}

func (m *machine) setenv(name, value string) {
	m.env = append(m.env, fmt.Sprintf("%s=%s", name, value))
}
