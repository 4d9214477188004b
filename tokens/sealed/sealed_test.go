package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/sealed"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
	"github.com/globusauth/globusauth/tokens/storetest"
)

var _ login.Sessions = (*sealed.Sessions)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(tb testing.TB) tink.AEAD {
	tb.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		tb.Fatal(err)
	}
	key, err := aead.New(handle)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func seal(tb testing.TB, store tokens.Store, key tink.AEAD) *sealed.Store {
	tb.Helper()
	s, err := sealed.New(sealed.Config{Store: store, AEAD: key})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func aKey(namespace string) tokens.Key { return tokens.Key{ClientID: "c", Namespace: namespace} }

func one(tb testing.TB, access string) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, RefreshToken: "SECRET-REFRESH", ResourceServer: "rs"})
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

func load(tb testing.TB, store tokens.Store, key tokens.Key) tokens.Set {
	tb.Helper()
	set, err := store.Load(tb.Context(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func TestStore(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		store := tokens.NewMemory()
		return seal(t, store, key), seal(t, store, key)
	})
}

func TestNew_FilesSharedWithPython(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := filestore.New(filestore.Config{AppName: "app", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	database, err := sqlitestore.New(sqlitestore.Config{AppName: "app", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	for _, store := range []tokens.Store{files, database} {
		if _, err := sealed.New(sealed.Config{Store: store, AEAD: key}); err == nil || !strings.Contains(err.Error(), "GiveUpSharing") {
			t.Errorf("%T: %v", store, err)
		}
		s, err := sealed.New(sealed.Config{Store: store, AEAD: key, GiveUpSharing: true})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, aKey(""), one(t, "SECRET-ACCESS"))
		if !load(t, s, aKey("")).Equal(one(t, "SECRET-ACCESS")) {
			t.Errorf("%T: not read back", store)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "c", "app", "*"))
	if err != nil || len(found) < 2 {
		t.Fatal(found, err)
	}
	for _, name := range found {
		if content, err := os.ReadFile(name); err != nil || strings.Contains(string(content), "SECRET") {
			t.Errorf("%s: %v, or it holds a secret", name, err)
		}
	}
	for _, config := range []sealed.Config{{Store: files}, {AEAD: key}} {
		if _, err := sealed.New(config); err == nil {
			t.Error("an incomplete configuration was accepted")
		}
	}
}

// An update that changes nothing writes nothing.
func TestStoreUpdate_Unchanged(t *testing.T) {
	t.Parallel()
	inner := tokens.NewMemory()
	store := seal(t, inner, newKey(t))
	put(t, store, aKey(""), one(t, "A"))
	before := load(t, inner, aKey(""))
	put(t, store, aKey(""), one(t, "A"))
	if !load(t, inner, aKey("")).Equal(before) {
		t.Error("it was sealed again")
	}
}

func TestStore_KeyRotation(t *testing.T) {
	t.Parallel()
	store, sessions := tokens.NewMemory(), &login.MemorySessions{}
	fleettest.Sealed(t, func(*testing.T) (tokens.Store, sealed.SessionStore) { return store, sessions })
}

// What cannot be opened is an error that says why, is not overwritten, and can be deleted.
func TestStore_Unreadable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, test := range map[string]struct {
		damage func(t *testing.T, inner tokens.Store)
		key    tink.AEAD
		want   string
	}{
		"wrong key": {func(*testing.T, tokens.Store) {}, newKey(t), "add that key to the keyset"},
		"another login's": {func(t *testing.T, inner tokens.Store) {
			t.Helper()
			put(t, inner, aKey("1"), load(t, inner, aKey("2")))
		}, key, "changed or moved"},
		"not sealed": {func(t *testing.T, inner tokens.Store) {
			t.Helper()
			put(t, inner, aKey("1"), one(t, "SECRET-PLAIN"))
		}, key, "SealAll"},
		"others beside": {func(t *testing.T, inner tokens.Store) {
			t.Helper()
			put(t, inner, aKey("1"), load(t, inner, aKey("1")).Merge(one(t, "SECRET-PLAIN")))
		}, key, "beside"},
		"changed": {func(t *testing.T, inner tokens.Store) {
			t.Helper()
			token := load(t, inner, aKey("1")).All()[0]
			token.AccessToken = "AAAA" + token.AccessToken[4:]
			set, err := tokens.NewSet(token)
			if err != nil {
				t.Fatal(err)
			}
			put(t, inner, aKey("1"), set)
		}, key, "changed or moved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := tokens.NewMemory()
			store := seal(t, inner, key)
			put(t, store, aKey("1"), one(t, "SECRET-A"))
			put(t, store, aKey("2"), one(t, "SECRET-B"))
			test.damage(t, inner)
			before := load(t, inner, aKey("1"))
			store = seal(t, inner, test.key)
			_, loadErr := store.Load(t.Context(), aKey("1"))
			_, updateErr := store.Update(t.Context(), aKey("1"), func(current tokens.Set) (tokens.Set, error) {
				t.Error("fn was called")
				return current, nil
			})
			for _, err := range []error{loadErr, updateErr} {
				if !errors.Is(err, tokens.ErrUnreadable) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%v, want %q", err, test.want)
				}
			}
			if !load(t, inner, aKey("1")).Equal(before) {
				t.Error("it was overwritten")
			}
			if err := store.Delete(t.Context(), aKey("1")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStoreSealAll(t *testing.T) {
	t.Parallel()
	inner, key := tokens.NewMemory(), newKey(t)
	put(t, inner, aKey("plain"), one(t, "A"))
	put(t, seal(t, inner, newKey(t)), aKey("foreign"), one(t, "B"))
	store := seal(t, inner, key)
	put(t, store, aKey("sealed"), one(t, "C"))
	if err := store.SealAll(t.Context()); !errors.Is(err, tokens.ErrUnreadable) || !strings.Contains(err.Error(), "foreign") {
		t.Errorf("SealAll: %v", err)
	}
	for namespace, access := range map[string]string{"plain": "A", "sealed": "C"} {
		if got := load(t, store, aKey(namespace)); !got.Equal(one(t, access)) {
			t.Errorf("%s: %v", namespace, got)
		}
	}
}

// failing is a key that cannot be used, such as one of a service that is down.
type failing struct {
	tink.AEAD

	decryptOnly bool
}

func (f failing) Encrypt(data, associated []byte) ([]byte, error) {
	if f.decryptOnly {
		return f.AEAD.Encrypt(data, associated)
	}
	return nil, errors.New("key service down")
}

func (failing) Decrypt([]byte, []byte) ([]byte, error) { return nil, errors.New("key service down") }

// A refresh token is not used where its successor could not be sealed, and what a key service that is down
// cannot open is not called unreadable: that is what a logout may delete.
func TestStore_KeyFails(t *testing.T) {
	t.Parallel()
	inner, key := tokens.NewMemory(), newKey(t)
	put(t, seal(t, inner, key), aKey(""), one(t, "A"))
	for _, aead := range []failing{{key, false}, {key, true}} {
		store := seal(t, inner, aead)
		_, loadErr := store.Load(t.Context(), aKey(""))
		problems := []error{loadErr}
		for _, namespace := range []string{"", "nothing stored"} {
			_, err := store.Update(t.Context(), aKey(namespace), func(current tokens.Set) (tokens.Set, error) {
				t.Error("fn was called")
				return current, nil
			})
			problems = append(problems, err)
		}
		for _, err := range problems {
			if err == nil || errors.Is(err, tokens.ErrUnreadable) || !strings.Contains(err.Error(), "key service down") {
				t.Error(err)
			}
		}
	}
}

func TestStore_PrintsNoKey(t *testing.T) {
	t.Parallel()
	store := seal(t, tokens.NewMemory(), newKey(t))
	sessions, err := sealed.NewSessions(&login.MemorySessions{}, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %#v", store, store, sessions); got != "sealed *tokens.Memory sealed *tokens.Memory sealed *login.MemorySessions" {
		t.Error(got)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	inner, key := &login.MemorySessions{}, newKey(t)
	sessions, err := sealed.NewSessions(inner, key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, hour := context.Background(), time.Now().Add(time.Hour)
	for key, data := range map[string]string{"a": "SECRET-DATA", "b": "", "c": "x"} {
		if added, err := sessions.Add(ctx, key, []byte(data), hour); !added || err != nil {
			t.Fatal(added, err)
		}
		if added, err := sessions.Add(ctx, key, []byte(data), hour); added || err != nil {
			t.Error(added, err)
		}
		if got, err := sessions.Get(ctx, key); got == nil || string(got) != data || err != nil {
			t.Errorf("Get: %q, %v", got, err)
		}
	}
	raw, err := inner.Take(ctx, "a")
	if err != nil || strings.Contains(string(raw), "SECRET") {
		t.Errorf("stored %q, %v", raw, err)
	}
	if _, err := inner.Add(ctx, "moved", raw, hour); err != nil {
		t.Fatal(err)
	}
	if got, err := sessions.Get(ctx, "moved"); got != nil || err == nil || !strings.Contains(err.Error(), "changed or moved") {
		t.Errorf("moved: %q, %v", got, err)
	}
	other, err := sealed.NewSessions(inner, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Get(ctx, "c"); got != nil || err == nil || !strings.Contains(err.Error(), "add that key") {
		t.Errorf("wrong key: %q, %v", got, err)
	}
	if got, err := sessions.Take(ctx, "c"); string(got) != "x" || err != nil {
		t.Errorf("Take: %q, %v", got, err)
	}
	if got, err := sessions.Take(ctx, "c"); got != nil || err != nil {
		t.Errorf("Take again: %q, %v", got, err)
	}
	if _, err := sealed.NewSessions(nil, key); err == nil {
		t.Error("no store was accepted")
	}
}
