//go:build linux

package sqlitestore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// opened counts the descriptors of a file, and of its journals, in this process.
func opened(t *testing.T, file string) (count int) {
	t.Helper()
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, descriptor := range descriptors {
		if name, err := os.Readlink(descriptor); err == nil && strings.HasPrefix(name, file) {
			count++
		}
	}
	return count
}

func loads(t *testing.T, store *sqlitestore.Store, want tokens.Set) {
	t.Helper()
	if got, err := store.Load(t.Context(), testKey()); err != nil || !got.Equal(want) {
		t.Errorf("Load: %v, %v; want %v", got, err, want)
	}
}

// A store keeps one connection at most, which holds no lock, is not inherited, and ends with the store.
func TestStore_ConnectionIsKept(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	file := path(t, store, testKey())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { loads(t, store, one(t, "A")) })
	}
	all.Wait()
	if count := opened(t, file); count != 1 {
		t.Errorf("%d files are open, want one connection", count)
	}
	db := raw(t, file)
	execute(t, db, `BEGIN EXCLUSIVE`)
	execute(t, db, `ROLLBACK`)
	inherited, err := exec.CommandContext(t.Context(), "ls", "-l", "/proc/self/fd").Output()
	if err != nil || strings.Contains(string(inherited), file) {
		t.Errorf("a child process has %s, %v", inherited, err)
	}
	runtime.KeepAlive(store)
	store = nil
	for tries := 0; opened(t, file) > 1; tries++ { // the last is that of db
		if tries > 1000 {
			t.Fatal("the connection is open after the store is gone")
		}
		runtime.GC()
	}
}

// The connection is not used for another file than that at the path.
func TestStore_FileBehindConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, other := open(t, sqlitestore.Config{Dir: dir}), open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	loads(t, store, one(t, "A"))
	put(t, other, testKey(), one(t, "B"))
	file := path(t, store, testKey())
	content, err := os.ReadFile(path(t, other, testKey()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file+".new", content, 0o600), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
	loads(t, store, one(t, "B"))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	loads(t, store, tokens.Set{})
	if count := opened(t, file); count != 0 {
		t.Errorf("the removed file is open %d times", count)
	}
	put(t, store, testKey(), one(t, "C"))
	loads(t, store, one(t, "C"))
	loads(t, open(t, sqlitestore.Config{Dir: dir}), one(t, "C"))
}

// With a write-ahead log, an open connection would keep others from ending it.
func TestStore_WriteAheadLog(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	db := raw(t, path(t, store, testKey()))
	execute(t, db, `PRAGMA journal_mode = WAL`)
	loads(t, store, one(t, "A"))
	put(t, store, testKey(), one(t, "B"))
	if got := column(t, db, `PRAGMA journal_mode = DELETE`); len(got) != 1 || got[0] != "delete" {
		t.Errorf("journal mode %q: the store has the log open", got)
	}
	loads(t, store, one(t, "B"))
}
