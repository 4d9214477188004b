package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
)

// Where locks exclude nothing, the later of two updates at once stays, and the
// file is whole all the time.
func lockDoesNotLock(t *testing.T, open opener) {
	t.Helper()
	shared := files.System{TryLock: (*flock.Flock).TryRLock} // opens the file as TryLock does
	dir := t.TempDir()
	put(t, open(t, shared, dir), one("A"))
	for range 10 {
		inside := make(chan struct{}, 2)
		both := make(chan struct{})
		var all sync.WaitGroup
		for _, access := range []string{"B", "C"} {
			store := open(t, shared, dir)
			all.Go(func() {
				if got, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
					inside <- struct{}{}
					<-both
					return one(access), nil
				}); err != nil || !got.Equal(one(access)) {
					t.Errorf("Update: %v, %v", got, err)
				}
			})
		}
		<-inside
		<-inside
		close(both)
		all.Wait()
		store := open(t, files.System{}, dir)
		if set, err := store.Load(t.Context(), key()); err != nil || !set.Equal(one("B")) && !set.Equal(one("C")) {
			t.Fatalf("Load: %v, %v", set, err)
		}
		put(t, store, one("A"))
		if names := left(t, store); len(names) > 0 {
			t.Errorf("left behind: %q", names)
		}
	}
}

func lockFileRemoved(t *testing.T, open opener) {
	t.Helper()
	dir := t.TempDir()
	a, b := open(t, files.System{}, dir), open(t, files.System{}, dir)
	put(t, a, one("A"))
	if _, err := a.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		if err := os.Remove(path(t, a) + ".lock"); err != nil {
			t.Error(err)
		}
		put(t, b, one("B"))
		return one("C"), nil
	}); err != nil {
		t.Error(err)
	}
	holds(t, b, one("C"))
	put(t, b, one("D"))
	holds(t, a, one("D"))
	// The lock is taken on a file that is removed before it is looked at.
	tries := 0
	c := open(t, files.System{TryLock: func(lock *flock.Flock) (bool, error) {
		locked, err := lock.TryLock()
		if tries++; tries == 1 {
			err = errors.Join(err, os.Remove(lock.Path()))
		}
		return locked, err
	}}, dir)
	put(t, c, one("E"))
	if _, err := os.Stat(path(t, c) + ".lock"); err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func directoryRemoved(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	put(t, store, one("A"))
	got, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		return one("B"), os.RemoveAll(filepath.Dir(path(t, store)))
	})
	if err != nil || !got.Equal(one("B")) {
		t.Errorf("Update: %v, %v", got, err)
	}
	holds(t, store, one("B"))
	_, err = store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		dir := filepath.Dir(path(t, store))
		return one("C"), errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
	})
	if err == nil || !strings.Contains(err.Error(), "stored nowhere") {
		t.Errorf("Update: %v, want the error that says so", err)
	}
}

func lockIsNoRegularFile(t *testing.T, open opener) {
	t.Helper()
	for name, make := range map[string]func(string) error{
		"pipe":      mkfifo,
		"directory": func(name string) error { return os.Mkdir(name, 0o700) },
		"link":      func(name string) error { return os.Symlink("elsewhere", name) },
	} {
		store := open(t, files.System{}, t.TempDir())
		put(t, store, one("A"))
		lock := path(t, store) + ".lock"
		if err := errors.Join(os.Remove(lock), make(lock)); err != nil {
			if runtime.GOOS != "windows" { // which has no pipes, and links for few
				t.Fatal(err)
			}
			continue
		}
		_, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
			t.Error("fn was called without the lock")
			return tokens.Set{}, nil
		})
		if err == nil || !strings.Contains(err.Error(), lock) {
			t.Errorf("%s: error %v, want one that names the lock", name, err)
		}
	}
}

func abandonedExclusiveLock(t *testing.T, open opener) {
	t.Helper()
	noLocks := files.System{TryLock: func(*flock.Flock) (bool, error) { return false, syscall.ENOLCK }}
	for age, broken := range map[time.Duration]bool{0: false, time.Minute: false, 3 * time.Minute: true} {
		store := open(t, noLocks, t.TempDir())
		put(t, store, one("A"))
		lock := path(t, store) + ".locked"
		changed := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(lock, nil, 0o600), os.Chtimes(lock, changed, changed)); err != nil {
			t.Fatal(err)
		}
		_, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) { return one("B"), nil })
		_, statErr := os.Stat(lock)
		if broken && (err != nil || statErr == nil) || !broken && (!errors.Is(err, tokens.ErrLocked) || statErr != nil) {
			t.Errorf("a lock of %v ago: Update %v, the lock %v; want it broken: %v", age, err, statErr, broken)
		}
	}
}
