package filestore_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		os.Exit(child(what))
	}
	goleak.VerifyTestMain(m)
}

const clientID = "7fb58e00-839d-44e3-8047-10a502612dca"

func testKey() tokens.Key { return tokens.Key{ClientID: clientID} }

func open(tb testing.TB, config filestore.Config) *filestore.Store {
	tb.Helper()
	if config.Path == "" && config.AppName == "" {
		config.AppName = "My App"
	}
	if config.Path == "" && config.Dir == "" {
		config.Dir = tb.TempDir()
	}
	store, err := filestore.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func path(tb testing.TB, store *filestore.Store, key tokens.Key) string {
	tb.Helper()
	file, err := store.Path(key)
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

func one(tb testing.TB, access string) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(tokens.Token{
		AccessToken: access, RefreshToken: "SECRET-REFRESH", ResourceServer: "rs", Scope: "s", Expiry: time.Unix(1700000000, 0),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func put(tb testing.TB, store tokens.Store, key tokens.Key, set tokens.Set) {
	tb.Helper()
	if _, err := store.Update(tb.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		tb.Fatal(err)
	}
}

// write makes a token file as another program would.
func write(tb testing.TB, file, content string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func content(tb testing.TB, file string) string {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func TestStore_Contract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		dir := t.TempDir()
		return open(t, filestore.Config{Dir: dir}), open(t, filestore.Config{Dir: dir})
	})
}

func TestStorePath_AsPython(t *testing.T) {
	t.Parallel()
	fixture := readFixture(t)
	store, err := filestore.New(filestore.Config{AppName: "My App", Dir: "/home/u/.globus/app"})
	if err != nil {
		t.Fatal(err)
	}
	for environment, want := range fixture.Paths {
		got := path(t, store, tokens.Key{ClientID: clientID, Environment: environment, Namespace: "n"})
		if got != filepath.FromSlash(want)+".json" {
			t.Errorf("%s: %s, want %s.json", environment, got, want)
		}
	}
}

// File systems that ignore case must not give two addresses one file.
func TestStorePath_AddressesDifferInCase(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	upper := path(t, store, tokens.Key{ClientID: clientID, Address: "https://auth.example.org/A/"})
	lower := path(t, store, tokens.Key{ClientID: clientID, Address: "https://auth.example.org/a/"})
	if strings.EqualFold(upper, lower) {
		t.Errorf("%s and %s", upper, lower)
	}
}

func TestNew_AppNameAsPython(t *testing.T) {
	t.Parallel()
	for _, row := range readFixture(t).Slugs {
		if row.Input == "" {
			row.Input = "\x00" // an empty AppName is "not set" here
		}
		store, err := filestore.New(filestore.Config{AppName: row.Input, Dir: "/d"})
		if row.Error != "" {
			if err == nil || !strings.Contains(err.Error(), "choose another") {
				t.Errorf("%q: error %v, want one like %q", row.Input, err, row.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", row.Input, err)
			continue
		}
		if got := filepath.Base(filepath.Dir(path(t, store, testKey()))); got != row.Output {
			t.Errorf("%q: slug %q, want %q", row.Input, got, row.Output)
		}
	}
}

func TestNew_HomeDirectory(t *testing.T) { //nolint:paralleltest // it sets HOME
	if runtime.GOOS == "windows" {
		t.Skip("the directory is not below HOME")
	}
	known, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	for set, want := range map[string]string{home: home, "": known.HomeDir, "relative/home": ""} {
		t.Setenv("HOME", set)
		store, err := filestore.New(filestore.Config{AppName: "x"})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "HOME") || !strings.Contains(err.Error(), "Dir or Path") {
				t.Errorf("HOME %q: %v, want an error that names HOME", set, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := path(t, store, testKey()), filepath.Join(want, ".globus", "app", clientID, "x", "tokens.json"); got != want {
			t.Errorf("HOME %q: path %s, want %s", set, got, want)
		}
	}
}

func TestNew_PathIsForOneClient(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "deep", "er", "my.json")
	store := open(t, filestore.Config{Path: file, ClientID: clientID, Environment: "preview"})
	key := tokens.Key{ClientID: clientID, Environment: "preview", Namespace: "n"}
	if found, err := store.Keys(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("keys of nothing: %v, %v", found, err)
	}
	put(t, store, key, one(t, "A"))
	if got := path(t, store, key); got != file {
		t.Errorf("path %s, want %s", got, file)
	}
	if found, err := store.Keys(t.Context()); err != nil || len(found) != 1 || found[0] != key {
		t.Errorf("keys %v, %v", found, err)
	}
	for _, other := range []tokens.Key{{ClientID: clientID}, {ClientID: "other", Environment: "preview"}} {
		if _, err := store.Load(t.Context(), other); err == nil || !strings.Contains(err.Error(), "not of client "+other.ClientID) {
			t.Errorf("%v: error %v", other, err)
		}
	}
}

func TestNew_InvalidConfig(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]filestore.Config{
		"leaves nothing for a file name": {},
		"choose one":                     {AppName: "x", Path: "y", ClientID: "c"},
		"needs the client":               {Path: "y"},
		"go with Path only":              {AppName: "x", ClientID: "c"},
		"LockTimeout is negative":        {AppName: "x", LockTimeout: -1},
	} {
		if _, err := filestore.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestStoreUpdate_ModesOfNewFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	store := open(t, filestore.Config{Dir: dir})
	put(t, store, testKey(), one(t, "A"))
	file := path(t, store, testKey())
	for name, want := range map[string]fs.FileMode{dir: 0o700, filepath.Dir(file): 0o700, file: 0o600, file + ".lock": 0o600, file + ".pending": 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 3 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestStore_NothingStored(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	store := open(t, filestore.Config{Dir: dir})
	if _, err := store.Load(t.Context(), testKey()); err != nil {
		t.Error(err)
	}
	if err := store.Delete(t.Context(), testKey()); err != nil {
		t.Error(err)
	}
	if _, err := store.Keys(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made %s: %v", dir, err)
	}
}

func TestStoreUpdate_Unchanged(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	file := path(t, store, testKey())
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, testKey(), one(t, "A"))
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced for nothing: %v", err)
	}
}

func TestStoreUpdate_AnotherProcessHasLock(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{LockTimeout: 30 * time.Millisecond})
	put(t, store, testKey(), one(t, "A"))
	file := path(t, store, testKey())
	held := flock.New(file + ".lock") // a lock of its own, as another process has
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	refused := func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called without the lock")
		return tokens.Set{}, nil
	}
	_, err := store.Update(t.Context(), testKey(), refused)
	if !errors.Is(err, tokens.ErrLocked) || !strings.Contains(err.Error(), file+".lock") || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want ErrLocked that names the lock", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Update(ctx, testKey(), refused); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if got, err := store.Load(t.Context(), testKey()); err != nil || !got.Equal(one(t, "A")) {
		t.Errorf("Load beside a lock: %v, %v", got, err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	put(t, store, testKey(), one(t, "B"))
}

func TestStoreUpdate_LeftoverOfKilledProcess(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	file := path(t, store, testKey())
	temp := filepath.Join(filepath.Dir(file), ".tokens.json.1234.tmp")
	write(t, temp, "half of someth")
	put(t, store, testKey(), one(t, "B"))
	if _, err := os.Stat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if got, err := store.Load(t.Context(), testKey()); err != nil || !got.Equal(one(t, "B")) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestStoreKeys_OtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := open(t, filestore.Config{Dir: dir})
	put(t, store, testKey(), one(t, "A"))
	put(t, store, tokens.Key{ClientID: "other", Environment: "sandbox"}, one(t, "A"))
	write(t, filepath.Join(dir, "a file"), "x")
	write(t, filepath.Join(dir, clientID, "other-app", "tokens.json"), "not ours")
	write(t, filepath.Join(dir, clientID, "my-app", "notes.json"), "x")
	write(t, filepath.Join(dir, clientID, "my-app", "tokens.db"), "x")
	write(t, filepath.Join(dir, "not a client", "my-app", "tokens.json"), "x")
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := []tokens.Key{
		{ClientID: clientID, Environment: "production", Namespace: "DEFAULT"},
		{ClientID: "other", Environment: "sandbox", Namespace: "DEFAULT"},
	}
	got, err := store.Keys(t.Context())
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("keys %v, %v", got, err)
	}
	write(t, path(t, store, want[1]), "damaged")
	if got, err := store.Keys(t.Context()); !errors.Is(err, tokens.ErrUnreadable) || len(got) != 1 || got[0] != want[0] {
		t.Errorf("with a damaged file: keys %v, %v", got, err)
	}
}

type fixture struct {
	V2           struct{ Text string } `json:"json_v2"`
	V1           json.RawMessage       `json:"json_v1"`
	V1AfterStore json.RawMessage       `json:"json_v1_after_v2_store"`
	Removed      json.RawMessage       `json:"json_v2_after_remove"`
	Extra        json.RawMessage       `json:"json_v2_unknown_members_after_rewrite"`
	Validation   []struct {
		Label, Content, Error string
		OK                    bool
	} `json:"json_validation"`
	Slugs []struct{ Input, Output, Error string }
	Paths map[string]string
}

func readFixture(tb testing.TB) fixture {
	tb.Helper()
	var f fixture
	if err := json.Unmarshal([]byte(content(tb, filepath.Join("testdata", "token_storage.json"))), &f); err != nil {
		tb.Fatal(err)
	}
	return f
}
