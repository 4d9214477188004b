package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

const clientID = "7fb58e00-839d-44e3-8047-10a502612dca"

func TestNew_InvalidConfig(t *testing.T) {
	t.Parallel()
	good := app.Config{ClientID: clientID, Name: "my-tool", Scopes: scopes.List{scopes.TransferAll}, Store: tokens.NewMemory()}
	newUser := func(c app.Config) error { _, err := app.NewUser(c); return err }
	newService := func(c app.Config) error { _, err := app.NewService(c); return err }
	for name, test := range map[string]struct {
		make   func(app.Config) error
		change func(*app.Config)
		want   string
	}{
		"no client ID":                {newUser, func(c *app.Config) { c.ClientID = "" }, "ClientID is empty"},
		"no name and no store":        {newUser, func(c *app.Config) { c.Name, c.Store = "", nil }, "Name is empty"},
		"a name that is no directory": {newUser, func(c *app.Config) { c.Name, c.Store = "com1", nil }, "com1"},
		"a name with a newline":       {newUser, func(c *app.Config) { c.Name = "a\nb" }, "control characters"},
		"a long name":                 {newUser, func(c *app.Config) { c.Name = strings.Repeat("a", 101) }, "longer than 100"},
		"malformed scope":             {newUser, func(c *app.Config) { c.Scopes = scopes.List{"a["} }, "not a scope"},
		"malformed client ID":         {newUser, func(c *app.Config) { c.ClientID = "../x" }, "client ID"},
		"malformed namespace":         {newUser, func(c *app.Config) { c.Namespace = "a\x00" }, "namespace"},
		"secret without a redirect":   {newUser, func(c *app.Config) { c.ClientSecret = "s" }, "RedirectURI is empty"},
		"service without secret":      {newService, func(*app.Config) {}, "ClientSecret is empty"},
		"service without scopes":      {newService, func(c *app.Config) { c.ClientSecret, c.Scopes = "s", nil }, "list is empty"},
		"service with a login":        {newService, func(c *app.Config) { c.ClientSecret, c.Login = "s", login.CommandLine{} }, "logs in no person"},
		"service with a redirect":     {newService, func(c *app.Config) { c.ClientSecret, c.RedirectURI = "s", "https://a.example" }, "logs in no person"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			test.change(&config)
			if err := test.make(config); err == nil || !strings.HasPrefix(err.Error(), "app: new ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if err := newUser(good); err != nil {
		t.Error(err)
	}
}

func TestConfigFormat_HasNoSecret(t *testing.T) {
	t.Parallel()
	config := app.Config{ClientID: clientID, ClientSecret: "SECRET", Name: "my-tool", Scopes: scopes.List{scopes.TransferAll}}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, config), fmt.Sprintf(verb, &config))
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "config", config)
	service, err := app.NewService(config)
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, string(encoded), log.String(), fmt.Sprintf("%v %+v %#v", service, service, service))
	for _, text := range texts {
		if strings.Contains(text, "SECRET") || strings.Contains(text, "534543524554") {
			t.Errorf("shown: %s", text)
		}
	}
	if !strings.Contains(texts[0], clientID) {
		t.Errorf("shown: %s", texts[0])
	}
}

// What was given to New belongs to the caller still.
func TestNew_CopiesTheConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	config := w.config()
	config.Scopes = scopes.List{scopes.TransferAll}
	user := w.user(t, func(c *app.Config) { *c = config })
	config.Scopes[0] = "not[a scope"
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Error(err)
	}
	if err := user.AddScopes(scopes.GroupsAll); err != nil {
		t.Error(err)
	}
	if len(config.Scopes) != 1 {
		t.Errorf("scopes %v", config.Scopes)
	}
}

// Without a store the tokens of a user are in the directory of a Python app of that name.
func TestNewUser_DefaultStore(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("LOCALAPPDATA", home)
	w := newWorld(t, authtest.Config{})
	user := w.user(t, func(c *app.Config) { c.Store = nil; c.Name = "My Tool" })
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, ".globus", "app", w.Ready().NativeClientID, "my-tool")
	if runtime.GOOS == "windows" {
		dir = filepath.Join(home, "globus", "app", w.Ready().NativeClientID, "my-tool")
	}
	if files, err := filepath.Glob(filepath.Join(dir, "tokens@*.json")); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v; want one for the address of the server", files, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tokens.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the environment's own address: %v", err)
	}
	again := w.user(t, func(c *app.Config) { c.Store = nil; c.Name = "My Tool"; c.NoLogin = true })
	token(t, again.Source(scopes.TransferResourceServer))
}

func TestAppSource_InvalidNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	user := w.user(t, nil)
	if _, err := user.Source("").Token(t.Context()); err == nil || !strings.Contains(err.Error(), "ResourceServer is empty") {
		t.Errorf("error %v", err)
	}
	if _, err := user.HTTPClient(t.Context(), "my-own-service"); err == nil || !strings.Contains(err.Error(), "Hosts") {
		t.Errorf("error %v", err)
	}
	if w.person.count() != 0 {
		t.Error("a login for nothing")
	}
}

// A store that cannot be read is an error that no login resolves.
func TestApp_BrokenStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	w.store = brokenStore{}
	user := w.user(t, nil)
	_, err := user.Source(scopes.TransferResourceServer).Token(t.Context())
	_, listed := user.Tokens(t.Context())
	for _, err := range []error{
		err, listed, user.LoginRequired(t.Context()), user.Login(t.Context(), app.LoginOptions{}), user.Logout(t.Context(), app.LogoutOptions{}),
	} {
		if !errors.Is(err, errTest) || errors.Is(err, tokens.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
	}
	if w.person.count() != 0 {
		t.Errorf("%d logins", w.person.count())
	}
}
