package keyringstore_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/keyringstore"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func TestMain(m *testing.M) {
	keyring.MockInit()
	goleak.VerifyTestMain(m)
}

// locked is the mock keyring, which several goroutines cannot use, with the limit
// of Windows.
type locked struct {
	mu    sync.Mutex
	items map[string]string
	fail  error
	onGet func() // called before an item is read
}

func (l *locked) Set(service, user, secret string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(secret) > 2560 || len(service) >= 512 {
		return keyring.ErrSetDataTooBig
	}
	if l.fail != nil {
		return l.fail
	}
	if l.items == nil {
		l.items = map[string]string{}
	}
	l.items[service+"\x00"+user] = secret
	return nil
}

func (l *locked) Get(service, user string) (string, error) {
	if l.onGet != nil {
		l.onGet()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	secret, found := l.items[service+"\x00"+user]
	if l.fail != nil {
		return "", l.fail
	}
	if !found {
		return "", keyring.ErrNotFound
	}
	return secret, nil
}

func newStore(t *testing.T, ring *locked, dir string) *keyringstore.Store {
	t.Helper()
	store, err := keyringstore.Open(keyringstore.Config{AppName: "x", Dir: dir}, keyringstore.Ring(ring.Get, ring.Set))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore_Contract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		ring, dir := &locked{}, t.TempDir()
		return newStore(t, ring, dir), newStore(t, ring, dir)
	})
}

func key() tokens.Key { return tokens.Key{ClientID: "c"} }

func one(t *testing.T, access string) tokens.Set {
	t.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: "SECRET" + access, ResourceServer: "rs", Expiry: time.Unix(1700000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func put(t *testing.T, store *keyringstore.Store, set tokens.Set) error {
	t.Helper()
	_, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) { return set, nil })
	return err
}

// search fails if a file holds a token, and returns the files.
func search(t *testing.T, dir string) (files []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files = append(files, path)
		content, err := os.ReadFile(path)
		for _, form := range []string{"SECRET", base64.StdEncoding.EncodeToString([]byte("SECRET"))} {
			if strings.Contains(string(content), form) {
				t.Errorf("%s holds a token", path)
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	return files
}

// The keyring of the system is asked by New, and no token is in a file.
func TestNew_NoTokenInFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := keyringstore.New(keyringstore.Config{AppName: "x", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := put(t, store, one(t, strings.Repeat("A", 5000))); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Load(t.Context(), key()); err != nil || !got.Equal(one(t, strings.Repeat("A", 5000))) {
		t.Errorf("%v, %v", got, err)
	}
	if files := search(t, dir); len(files) != 3 {
		t.Errorf("files %q, want the lock, the tokens and the place of records", files)
	}
}

// killed ends an update that stores B at the given step after fn, a use of the keyring, as if its
// process was killed. It reports whether there was such a step, and whether B was written down before.
func killed(t *testing.T, store *keyringstore.Store, ring *locked, dir string, step int) (killed, recorded bool) {
	t.Helper()
	received, steps := false, 0
	defer func() {
		ring.onGet = nil
		killed = recover() != nil
		back(t, dir)
	}()
	ring.onGet = func() {
		if !received {
			return
		}
		if steps++; steps == step {
			recorded = aside(t, dir) // else Update removes what a killed process leaves
			panic("killed")
		}
	}
	_, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		received = true
		return one(t, "B"), nil
	})
	if err != nil {
		t.Error(err)
	}
	return killed, recorded
}

// At no step of an update a file holds a token, and what a killed process had received is kept.
func TestStoreUpdate_Killed(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		ring, dir := &locked{}, t.TempDir()
		store := newStore(t, ring, dir)
		if err := put(t, store, one(t, "A")); err != nil {
			t.Fatal(err)
		}
		killed, recorded := killed(t, store, ring, dir, step)
		if !killed {
			if step < 3 {
				t.Errorf("only %d steps", step)
			}
			return
		}
		want := one(t, "A")
		if recorded {
			want = one(t, "B")
		}
		if got, err := store.Load(t.Context(), key()); err != nil || !got.Equal(want) {
			t.Errorf("killed at step %d: %v, %v; want %v", step, got, err, want)
		}
		if err := put(t, store, one(t, "C")); err != nil {
			t.Error(err)
		}
		if files := search(t, dir); len(files) != 3 {
			t.Errorf("files %q, want the lock, the tokens and the place of records", files)
		}
	}
}

// What a killed process had received is kept while the keyring cannot be used, or lacks the key for a while.
func TestStoreUpdate_KilledThenKeyringFails(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		ring, dir := &locked{}, t.TempDir()
		store := newStore(t, ring, dir)
		if err := put(t, store, one(t, "A")); err != nil && !first {
			t.Fatal(err)
		}
		if _, recorded := killed(t, store, ring, dir, 2); !recorded {
			t.Fatal("nothing was written down")
		}
		items := ring.items
		if first { // there was no file yet
			if err := os.Remove(filepath.Join(dir, "c", "x", "tokens.keyring")); err != nil {
				t.Fatal(err)
			}
			ring.fail = errors.New("the keyring is locked")
		} else {
			ring.items = nil
		}
		if err := put(t, store, one(t, "C")); err == nil {
			t.Error("no error")
		}
		ring.fail, ring.items = nil, items
		got, err := store.Load(t.Context(), key())
		if want := one(t, "B"); !first && (err != nil || !got.Equal(want)) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
		if files := search(t, dir); first && len(files) != 2 {
			t.Errorf("files %q, want the lock and what was written down", files)
		}
	}
}

// A keyring that cannot be used is found out before the first login too.
func TestStoreUpdate_KeyringFailsAtFirst(t *testing.T) {
	t.Parallel()
	ring := &locked{fail: errors.New("the keyring is locked")}
	_, err := newStore(t, ring, t.TempDir()).Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called although the keyring is locked")
		return tokens.Set{}, nil
	})
	if !errors.Is(err, ring.fail) {
		t.Errorf("Update: %v", err)
	}
}

// aside copies the file for records, and reports whether it has content; back puts the copy in place.
func aside(t *testing.T, dir string) (content bool) {
	t.Helper()
	for _, file := range search(t, dir) {
		if data, err := os.ReadFile(file); err == nil && strings.HasSuffix(file, ".pending") {
			content = content || len(bytes.Trim(data, "\x00")) > 0
			if err := os.WriteFile(file+".kept", data, 0o600); err != nil {
				t.Error(err)
			}
		}
	}
	return content
}

func back(t *testing.T, dir string) {
	t.Helper()
	for _, file := range search(t, dir) {
		if name, kept := strings.CutSuffix(file, ".kept"); kept {
			if err := os.Rename(file, name); err != nil {
				t.Error(err)
			}
		}
	}
}

// A keyring that cannot be used is found out before fn is called; what fails
// meanwhile leaves the state before and no items of no use.
func TestStoreUpdate_KeyringFails(t *testing.T) {
	t.Parallel()
	ring := &locked{}
	store := newStore(t, ring, t.TempDir())
	if err := put(t, store, one(t, "A")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the keyring is locked")
	got, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		ring.fail = broken
		return one(t, "B"), nil
	})
	if !errors.Is(err, broken) || !got.Equal(one(t, "B")) || !strings.Contains(err.Error(), "stored nowhere") {
		t.Errorf("Update: %v, %v; want the error beside what fn got", got, err)
	}
	_, err = store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called although the keyring is locked")
		return tokens.Set{}, nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("Update: %v", err)
	}
	if _, err := store.Load(t.Context(), key()); !errors.Is(err, broken) || errors.Is(err, tokens.ErrUnreadable) {
		t.Errorf("Load: %v", err)
	}
	ring.fail = nil
	if got, err := store.Load(t.Context(), key()); err != nil || !got.Equal(one(t, "A")) {
		t.Errorf("Load: %v, %v", got, err)
	}
	for _, access := range []string{"C", strings.Repeat("D", 5000), "E"} {
		if err := put(t, store, one(t, access)); err != nil {
			t.Fatal(err)
		}
	}
	if len(ring.items) != 1 {
		t.Errorf("%d items are in the keyring, want the key", len(ring.items))
	}
	ring.items = nil // removed by the person
	if _, err := store.Load(t.Context(), key()); !errors.Is(err, tokens.ErrUnreadable) {
		t.Errorf("Load: %v, want ErrUnreadable", err)
	}
	if err := store.Delete(t.Context(), key()); err != nil {
		t.Error(err)
	}
	if err := put(t, store, one(t, "F")); err != nil {
		t.Error(err)
	}
}

// A file that is damaged, moved from another place or sealed by another key is not opened and never overwritten.
func TestStoreLoad_Unreadable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(ring *locked, path string, content []byte) error{
		"cut off": func(_ *locked, path string, content []byte) error { return os.WriteFile(path, content[:20], 0o600) },
		"changed": func(_ *locked, path string, content []byte) error {
			content[30] ^= 1
			return os.WriteFile(path, content, 0o600)
		},
		"not sealed": func(_ *locked, path string, _ []byte) error {
			return os.WriteFile(path, []byte(`{"data":{},"format_version":"2.0","globus-sdk.version":"x"}`), 0o600)
		},
		"another key": func(ring *locked, _ string, _ []byte) error {
			for item := range ring.items {
				ring.items[item] = base64.StdEncoding.EncodeToString(make([]byte, 32))
			}
			return nil
		},
		"not a key": func(ring *locked, _ string, _ []byte) error {
			for item := range ring.items {
				ring.items[item] = "secret"
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring, dir := &locked{}, t.TempDir()
			store := newStore(t, ring, dir)
			if err := put(t, store, one(t, "A")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "c", "x", "tokens.keyring")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(ring, path, content); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Load(t.Context(), key()); !errors.Is(err, tokens.ErrUnreadable) {
				t.Errorf("Load: %v, want ErrUnreadable", err)
			}
			if err := put(t, store, one(t, "B")); !errors.Is(err, tokens.ErrUnreadable) {
				t.Errorf("Update: %v, want ErrUnreadable", err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the file was changed (%v)", err)
			}
			if name == "not a key" {
				return // an item that this program did not make is not replaced
			}
			if err := store.Delete(t.Context(), key()); err != nil {
				t.Error(err)
			}
			if err := put(t, store, one(t, "C")); err != nil {
				t.Error(err)
			}
		})
	}
}
