package app_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// valid returns the access and refresh tokens that the service accepts, sorted.
func (w *world) valid() []string {
	var list []string
	state := w.Snapshot().State
	for _, token := range slices.Concat(state.Access, state.Refresh) {
		if !token.Replaced && w.Now().Before(token.Ends) {
			list = append(list, token.Value)
		}
	}
	slices.Sort(list)
	return list
}

// kept returns the access and refresh tokens that are stored, sorted.
func (w *world) kept(tb testing.TB) []string {
	tb.Helper()
	set, err := w.store.Load(tb.Context(), w.key())
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, token := range set.All() {
		list = append(list, token.AccessToken, token.RefreshToken)
	}
	slices.Sort(list)
	return list
}

// logged makes the client of a world log to a buffer.
func (w *world) logged(tb testing.TB) *lockedBuffer {
	tb.Helper()
	var out lockedBuffer
	client, err := globusauth.New(globusauth.Config{
		BaseURL: w.BaseURL(), HTTPClient: w.Client(), Now: w.Now, MaxRetries: -1,
		Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		tb.Fatal(err)
	}
	w.client = client
	return &out
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A store that cannot be used is found out before the person is sent to a browser.
func TestAppLogin_UnusableStore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(path string) error
		want  error
	}{
		"file cut off":    {func(path string) error { return os.Truncate(path, 20) }, tokens.ErrUnreadable},
		"readable by all": {func(path string) error { return os.Chmod(path, 0o644) }, tokens.ErrUnsafe},
		"not a directory": {func(path string) error { return replaceByFile(filepath.Dir(path)) }, nil},
		"a directory":     {func(path string) error { return replaceByDir(path) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			dir := t.TempDir()
			store, err := filestore.New(filestore.Config{AppName: "my-tool", Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			w.store = store
			user := w.user(t, nil)
			if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
				t.Fatal(err)
			}
			paths, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.json"))
			if err != nil || len(paths) == 0 {
				paths, err = filepath.Glob(filepath.Join(dir, "*", "*", "*", "*.json"))
			}
			if err != nil || len(paths) != 1 {
				t.Fatalf("stored in %q, %v", paths, err)
			}
			if err := test.spoil(paths[0]); err != nil {
				t.Fatal(err)
			}
			before := w.valid()
			err = user.Login(t.Context(), app.LoginOptions{Force: true})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if w.person.count() != 1 || !slices.Equal(w.valid(), before) {
				t.Errorf("%d logins", w.person.count())
			}
			if err := user.Logout(t.Context(), app.LogoutOptions{Forget: true}); err == nil || !errors.Is(err, test.want) && test.want != nil {
				t.Errorf("logout: %v", err)
			} else if strings.Contains(err.Error(), "is removed") == (test.want == nil) {
				t.Errorf("the error says what is not so: %v", err)
			}
			if test.want == nil {
				return
			}
			if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
				t.Errorf("after a logout that forgets: %v", err)
			}
		})
	}
}

func replaceByFile(path string) error {
	return errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o600))
}

func replaceByDir(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }

// failingStore fails from the given update on.
type failingStore struct {
	tokens.Store
	from, updates atomic.Int64
}

func (s *failingStore) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	if s.updates.Add(1) < s.from.Load() {
		return s.Store.Update(ctx, key, fn)
	}
	current, err := s.Load(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	next, err := fn(current)
	if err != nil {
		return tokens.Set{}, err
	}
	return next, errTest
}

// A store that can be read and not written, such as one without locks, is found out as well.
func TestAppLogin_StoreCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	w.store = &failingStore{Store: w.store}
	if err := w.user(t, nil).Login(t.Context(), app.LoginOptions{}); !errors.Is(err, errTest) || w.person.count() != 0 {
		t.Errorf("error %v, %d logins", err, w.person.count())
	}
	if requests := w.Requests(); len(requests) > 0 {
		t.Errorf("%d requests", len(requests))
	}
}

// What cannot be stored is revoked: no token is valid that is in no store.
func TestAppLogin_StoreFailsAfterTheLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	store := &failingStore{Store: w.store}
	store.from.Store(2) // the rehearsal succeeds
	w.store = store
	user := w.user(t, nil)
	if err := user.Login(t.Context(), app.LoginOptions{}); !errors.Is(err, errTest) || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("error %v", err)
	}
	if valid := w.valid(); len(valid) != 0 {
		t.Errorf("%d tokens are valid", len(valid))
	}
	store.updates.Store(0)
	w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusServiceUnavailable, Operation: "revoke"})
	if err := user.Login(t.Context(), app.LoginOptions{}); !errors.Is(err, errTest) || !errors.Is(err, apierror.ErrServer) {
		t.Errorf("error %v", err)
	}
}

// What the store has put elsewhere, and returns from there, is not lost.
func TestAppLogin_StoredElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	logged := w.logged(t)
	w.store = lateStore{w.store}
	if err := w.user(t, nil).Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if kept := w.kept(t); len(kept) != 4 || !slices.Equal(kept, w.valid()) || !strings.Contains(logged.String(), "not stored where they belong") {
		t.Errorf("%d tokens are stored, %d are valid; logged %s", len(kept), len(w.valid()), logged)
	}
}

// lateStore stores what has changed, and fails.
type lateStore struct{ tokens.Store }

func (s lateStore) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	changed := false
	next, err := s.Store.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
		next, err := fn(current)
		changed = !next.Equal(current)
		return next, err
	})
	if err == nil && changed {
		err = errTest
	}
	return next, err
}

// What was issued is stored although the caller has stopped waiting.
func TestAppLogin_ContextEndsBeforeStoring(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	w.person.done = cancel
	if err := w.user(t, nil).Login(ctx, app.LoginOptions{}); err != nil {
		t.Error(err)
	}
	if kept := w.kept(t); len(kept) != 4 || !slices.Equal(kept, w.valid()) {
		t.Errorf("%d tokens are stored, %d are valid", len(kept), len(w.valid()))
	}
}

// Of any number of logins, one after the other or at once, in one process or several,
// the tokens of one are valid: those that are stored.
func TestAppLogin_RevokesWhatItReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	logged := w.logged(t)
	users := []*app.App{w.user(t, nil), w.user(t, nil), w.user(t, nil)} // as in processes of their own
	for range 2 {
		if err := users[0].Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		if kept := w.kept(t); len(kept) != 4 || !slices.Equal(kept, w.valid()) {
			t.Errorf("%d tokens are stored, %d are valid", len(kept), len(w.valid()))
		}
	}
	if logged.String() != "" {
		t.Errorf("logged %s", logged)
	}
	w.person.hold = make(chan struct{})
	var all sync.WaitGroup
	for _, user := range users {
		all.Go(func() {
			if err := user.Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
	w.person.waiting(t, len(users))
	close(w.person.hold)
	all.Wait()
	if kept := w.kept(t); len(kept) != 4 || !slices.Equal(kept, w.valid()) {
		t.Errorf("%d tokens are stored, %d are valid", len(kept), len(w.valid()))
	}
	if got := strings.Count(logged.String(), "the stored login changed while this one was running"); got != 2 {
		t.Errorf("%d of 2 logins said that they replace another: %s", got, logged)
	}
	// The others go on with the login that is stored.
	for _, user := range users {
		if got := token(t, user.Source(scopes.TransferResourceServer)); got != w.stored(t, scopes.TransferResourceServer) {
			t.Error("a token that is not stored")
		}
	}
}

func TestAppLogin_CannotRevokeWhatItReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	logged := w.logged(t)
	user := w.user(t, nil)
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	first := w.stored(t, scopes.TransferResourceServer)
	w.Inject(authtest.Fault{Kind: authtest.FaultStatus, Status: http.StatusServiceUnavailable, Operation: "revoke"})
	if err := user.Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
		t.Error(err)
	}
	if w.stored(t, scopes.TransferResourceServer) == first || !strings.Contains(logged.String(), "could not be revoked and remain valid") ||
		strings.Contains(logged.String(), first.RefreshToken) {
		t.Errorf("logged %s", logged)
	}
}
