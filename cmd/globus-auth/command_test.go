package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// A login at one address is not sent to another, nor deleted there.
func TestCommand_AnotherAddress(t *testing.T) {
	t.Parallel()
	m := newMachine(t, authtest.Config{})
	m.logIn(m.store("file"), 0)
	var asked []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer other.Close()
	for _, verb := range [][]string{{"whoami"}, {"logout"}, {"logout", "--forget"}, {"token", scopes.AuthResourceServer}, {"session", "show"}, {"tokens"}} {
		m.fails("no login is stored", append([]string{"--base-url", other.URL}, verb...)...)
	}
	if len(asked) > 0 {
		t.Errorf("the other service was asked for %q", asked)
	}
	// Without a client ID, only the clients at this address count.
	set, err := tokens.NewSet(tokens.Token{ResourceServer: scopes.AuthResourceServer, AccessToken: "a-token", Scope: "openid"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := tokens.Key{ClientID: m.server.Ready().TemplateID, Address: other.URL + "/"}
	if _, err := m.store("file").Update(t.Context(), elsewhere, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
	m.setenv("GLOBUS_AUTH_CLIENT_ID", "")
	m.must("whoami")
	m.must("logout")
}

// A name in a response cannot act upon a terminal.
func TestCommand_JSONIsPrintable(t *testing.T) {
	t.Parallel()
	const invalid = `{"sub":"f0000000-0000-4000-8000-000000000001","name":"x` + "\xff" + `y"}`
	const evil = "A\u009b31m\u202eB\u2066C\u200fD\x1b[2J\x7f\u00e9"
	m := newMachine(t, authtest.Config{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(evil) //nolint:errchkjson // a string
		_, _ = w.Write([]byte(`{"sub":"f0000000-0000-4000-8000-000000000001","name":` + string(text) + `,"organization":"` + "x\xffy\u202e" + `",` +
			`"identity_set":[{"sub":"f0000000-0000-4000-8000-000000000001","username":` + string(text) + `}]}`))
	}))
	defer site.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(invalid))
	}))
	defer plain.Close()
	m.setenv("GLOBUS_AUTH_ACCESS_TOKEN", "a-token")
	if out := m.must("--base-url", plain.URL, "whoami", "--format", "json"); strings.Contains(out, "\xff") {
		t.Errorf("invalid UTF-8 is printed: %q", out)
	}
	for _, verb := range [][]string{{"whoami", "--format", "json"}, {"session", "show", "--format", "json"}, {"whoami"}, {"session", "show"}} {
		out := m.must(append([]string{"--base-url", site.URL}, verb...)...)
		for _, r := range out {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%q prints %q", verb, r)
			}
		}
		if strings.Contains(out, "\xff") {
			t.Errorf("%q prints invalid UTF-8", verb)
		}
		if verb[len(verb)-1] == "json" && !json.Valid([]byte(out)) {
			t.Errorf("%q prints %s", verb, out)
		}
	}
	var claims struct{ Name string }
	if err := json.Unmarshal([]byte(m.must("--base-url", site.URL, "whoami", "--format", "json")), &claims); err != nil || claims.Name != evil {
		t.Errorf("the name reads %q, %v", claims.Name, err)
	}
}

func TestCommand_SecretFileThatOthersCanRead(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	m := newMachine(t, authtest.Config{})
	path := filepath.Join(m.home, "secret")
	if err := os.WriteFile(path, []byte("a-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o604, 0o620, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		m.fails("others can read", "login", "--client-secret-file", path)
	}
	if requests := m.server.Requests(); len(requests) > 0 {
		t.Errorf("%d requests", len(requests))
	}
}

func TestCommand_StoreDir(t *testing.T) {
	t.Parallel()
	m := newMachine(t, authtest.Config{})
	ready := m.server.Ready()
	m.setenv("GLOBUS_AUTH_CLIENT_ID", ready.ConfidentialClientID)
	m.setenv("GLOBUS_AUTH_CLIENT_SECRET", ready.ConfidentialClientSecret)
	dir := filepath.Join(m.home, "elsewhere")
	m.must("--store-dir", dir, "login")
	m.setenv("GLOBUS_AUTH_STORE_DIR", dir)
	if out := m.must("tokens"); !strings.Contains(out, scopes.AuthResourceServer) {
		t.Errorf("stored %s", out)
	}
	if _, err := os.Stat(filepath.Join(m.home, ".globus")); err == nil {
		t.Error("the home directory is used")
	}
	if files, err := filepath.Glob(filepath.Join(dir, ready.ConfidentialClientID, "globus-auth", "*.json")); err != nil || len(files) != 1 {
		t.Errorf("files %q, %v", files, err)
	}
}

// --min-valid renews a token that ends too soon, --refresh any.
func TestCommand_TokenMinValidAndRefresh(t *testing.T) {
	t.Parallel()
	m := newMachine(t, authtest.Config{RotateRefreshTokens: true})
	store := m.store("file")
	m.logIn(store, 44*time.Hour) // 4 hours are left
	first := m.must("token", scopes.TransferResourceServer)
	if got := m.must("token", scopes.TransferResourceServer, "--min-valid", "3h"); got != first {
		t.Error("renewed although it is valid for longer")
	}
	second := m.must("token", scopes.TransferResourceServer, "--min-valid", "6h")
	if second == first || m.must("token", scopes.TransferResourceServer) != second {
		t.Error("not renewed and stored")
	}
	third := m.must("token", scopes.TransferResourceServer, "--refresh")
	if third == second || m.must("token", scopes.TransferResourceServer) != third {
		t.Error("not refreshed and stored")
	}
	m.fails("less than --min-valid 72h", "token", scopes.TransferResourceServer, "--min-valid", "72h")
	m.fails("--min-valid -1s is negative", "token", scopes.TransferResourceServer, "--min-valid", "-1s")

	// Without a refresh token there is nothing to be done but a login.
	key := tokens.Key{ClientID: m.client(), Address: m.url}
	if _, err := store.Update(t.Context(), key, func(current tokens.Set) (tokens.Set, error) {
		list := current.All()
		for i := range list {
			list[i].RefreshToken = ""
		}
		return tokens.NewSet(list...)
	}); err != nil {
		t.Fatal(err)
	}
	m.must("token", scopes.AuthResourceServer)
	m.fails(`run "globus-auth login"`, "token", scopes.AuthResourceServer, "--min-valid", "6h")
	m.fails(`run "globus-auth login"`, "token", scopes.AuthResourceServer, "--refresh")
}

// A client whose secret is in the environment acts as itself, apart from the login of a person.
func TestCommand_ClientOfTheEnvironment(t *testing.T) {
	t.Parallel()
	m := newMachine(t, authtest.Config{})
	ready := m.server.Ready()
	m.logIn(m.store("file"), 0)
	person := m.must("whoami")
	m.setenv("GLOBUS_AUTH_CLIENT_SECRET", ready.ConfidentialClientSecret)
	m.setenv("GLOBUS_AUTH_CLIENT_ID", ready.ConfidentialClientID)
	if out := m.must("whoami"); !strings.Contains(out, ready.ConfidentialClientID) { // without a login
		t.Errorf("whoami: %s", out)
	}
	m.fails("no token is stored", "token", scopes.TransferResourceServer)
	m.must("login", "--scopes", string(scopes.TransferAll))
	m.must("token", scopes.TransferResourceServer)
	if out := m.must("whoami"); !strings.Contains(out, ready.ConfidentialClientID) {
		t.Errorf("whoami: %s", out)
	}
	// Another client is a person's: the secret is not that client's.
	if out := m.must("whoami", "--client-id", m.client()); out != person {
		t.Errorf("whoami: %s", out)
	}
	m.must("logout")
	if out := m.must("whoami", "--client-id", m.client()); out != person {
		t.Errorf("whoami after a logout of the client: %s", out)
	}
	m.setenv("GLOBUS_AUTH_CLIENT_ID", "")
	m.fails("a client secret is given without its client", "whoami")
}

// An unreachable service is reported at once, with the source of its address.
func TestCommand_ServiceUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + listener.Addr().String() + "/"
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, authtest.Config{})
	m.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", down)
	m.setenv("GLOBUS_AUTH_ACCESS_TOKEN", "a-token")
	p := m.start("whoami")
	begun := time.Now()
	p.errs.waitFor(t, "retrying in")
	if elapsed := time.Since(begun); elapsed > 2*time.Second { // a second, on a machine that is busy
		t.Errorf("silent for %v", elapsed)
	}
	if text := p.errs.String(); !strings.Contains(text, down) || !strings.Contains(text, "GLOBUS_SDK_SERVICE_URL_AUTH") || strings.Count(text, "\n") > 1 {
		t.Errorf("printed %s", text)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait()
}

// Without a keyring no request is sent and no login starts.
func TestCommand_NoKeyring(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("this system has one")
	}
	m := newMachine(t, authtest.Config{})
	m.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(m.home, "none"))
	m.fails("keyring", "login", "--store", "keyring")
	if requests := m.server.Requests(); len(requests) > 0 {
		t.Errorf("%d requests", len(requests))
	}
}

// An unusable store is reported before a browser opens, and can be cleared.
func TestCommand_UnusableStore(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		spoil       func(path string) error
		login, done string // what the command says
	}{
		"damaged":         {func(path string) error { return os.Truncate(path, 20) }, "globus-auth logout --forget", "moved aside"},
		"readable by all": {func(path string) error { return os.Chmod(path, 0o644) }, "chmod 600", "is deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, authtest.Config{})
			m.logIn(m.store("file"), 0)
			files, err := filepath.Glob(filepath.Join(m.home, ".globus", "app", m.client(), "globus-auth", "*.json"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %q, %v", files, err)
			}
			if err := row.spoil(files[0]); err != nil {
				t.Fatal(err)
			}
			m.fails(row.login, "login")
			m.fails(row.login, "whoami")
			m.fails(row.done, "logout", "--forget")
			m.fails("no login is stored", "whoami")
		})
	}
}
