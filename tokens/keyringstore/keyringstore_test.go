package keyringstore_test

import (
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
	onSet func() // called before an item is set
	onGet func() // called before an item is read
}

func (l *locked) Set(service, user, secret string) error {
	if l.onSet != nil {
		l.onSet()
	}
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

func (l *locked) Delete(service, user string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, found := l.items[service+"\x00"+user]; !found {
		return keyring.ErrNotFound
	}
	delete(l.items, service+"\x00"+user)
	return nil
}

func newStore(t *testing.T, ring *locked, dir string) *keyringstore.Store {
	t.Helper()
	store, err := keyringstore.Open(keyringstore.Config{AppName: "x", Dir: dir}, ring)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore_Contract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) tokens.Store { t.Helper(); return newStore(t, &locked{}, t.TempDir()) })
	storetest.RunShared(t, func(t *testing.T) (a, b tokens.Store) {
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
	files := 0
	if err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), "SECRET") {
			t.Errorf("%s holds a token", path)
		}
		return err
	}); err != nil || files != 2 {
		t.Errorf("%d files, %v; want the lock and the index", files, err)
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
		t.Errorf("%d items are in the keyring, want 1", len(ring.items))
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

// An update that is interrupted leaves the state before, and the next one removes its items.
func TestStoreUpdate_Interrupted(t *testing.T) {
	t.Parallel()
	ring := &locked{}
	store := newStore(t, ring, t.TempDir())
	if err := put(t, store, one(t, "A")); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		sets := 0
		ring.onSet = func() {
			if sets++; sets == 4 { // the rehearsal is the first
				panic("killed")
			}
		}
		_ = put(t, store, one(t, strings.Repeat("B", 5000)))
		t.Error("the update was not interrupted")
	}()
	ring.onSet = nil
	if got, err := store.Load(t.Context(), key()); err != nil || !got.Equal(one(t, "A")) {
		t.Errorf("Load: %v, %v", got, err)
	}
	if len(ring.items) != 3 {
		t.Errorf("%d items, want that of the state before and two of the update", len(ring.items))
	}
	if err := put(t, store, one(t, "C")); err != nil {
		t.Fatal(err)
	}
	if len(ring.items) != 1 {
		t.Errorf("%d items are left, want 1", len(ring.items))
	}
}

// Load takes no lock: it reads the index again if an update has replaced the items.
func TestStoreLoad_DuringUpdate(t *testing.T) {
	t.Parallel()
	ring := &locked{}
	store := newStore(t, ring, t.TempDir())
	if err := put(t, store, one(t, "A")); err != nil {
		t.Fatal(err)
	}
	ring.onGet = func() {
		ring.onGet = nil
		if err := put(t, store, one(t, "B")); err != nil {
			t.Error(err)
		}
	}
	if got, err := store.Load(t.Context(), key()); err != nil || !got.Equal(one(t, "B")) {
		t.Errorf("Load: %v, %v", got, err)
	}
}

func TestStoreLoad_DamagedIndex(t *testing.T) {
	t.Parallel()
	for _, content := range []string{`{"items":{`, `{"items":null}`} {
		dir := t.TempDir()
		store := newStore(t, &locked{}, dir)
		if err := put(t, store, one(t, "A")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "c", "x", "tokens.keyring"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Load(t.Context(), key()); !errors.Is(err, tokens.ErrUnreadable) {
			t.Errorf("%s: %v, want ErrUnreadable", content, err)
		}
	}
}
