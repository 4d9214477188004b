package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
	"github.com/globusauth/globusauth/tokens/internal/files/jsonfile"
	"github.com/globusauth/globusauth/tokens/internal/files/sqlitefile"
	"github.com/globusauth/globusauth/tokens/storetest"
)

// opener opens a store in a directory.
type opener func(t *testing.T, system files.System, dir string) *files.Store

// What both kinds of files promise beyond the contract of stores: what is left of
// failures and killed processes, and locks that do not lock.
func TestStore(t *testing.T) {
	t.Parallel()
	for extension, backend := range map[string]func() files.Backend{
		".json": func() files.Backend { return jsonfile.Backend{} }, ".db": func() files.Backend { return &sqlitefile.Backend{} },
	} {
		open := func(t *testing.T, system files.System, dir string) *files.Store {
			t.Helper()
			kind := files.Kind{Package: "test", Extension: extension, Backend: backend(), System: system}
			store, err := files.New(kind, files.Config{AppName: "x", Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			return store
		}
		for name, test := range map[string]func(*testing.T, opener){
			"Update_FileCannotBeWritten":   fileCannotBeWritten,
			"Update_NothingCanBeRenamed":   nothingCanBeRenamed,
			"Load_FirstLoginLeftOver":      firstLoginLeftOver,
			"Update_LeftoverIsTorn":        leftoverIsTorn,
			"Update_LeftoverIsStale":       leftoverIsStale,
			"Delete_RemovesLeftover":       deleteRemovesLeftover,
			"Update_LockDoesNotLock":       lockDoesNotLock,
			"Update_LockFileRemoved":       lockFileRemoved,
			"Update_DirectoryRemoved":      directoryRemoved,
			"Update_LockIsNoRegularFile":   lockIsNoRegularFile,
			"Update_ExclusiveLockIsOld":    abandonedExclusiveLock,
			"Delete_DamagedFile":           deleteDamaged,
			"Update_FileOthersCanUse":      fileOthersCanUse,
			"Delete_FileOthersCanUse":      deleteFileOthersCanUse,
			"Update_EmptyFileIsEmptyStore": emptyFile,
			"Update_NothingToChange":       rehearsal,
			"Update_ManyFailures":          manyFailures,
		} {
			t.Run(extension+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { t.Helper(); test(t, open) })
			})
		}
		noLocks := files.System{TryLock: func(*flock.Flock) (bool, error) { return false, syscall.ENOSYS }}
		t.Run(extension+"/FileSystemWithoutLocks", func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
				t.Helper()
				dir := t.TempDir()
				return open(t, noLocks, dir), open(t, noLocks, dir)
			})
		})
	}
}

func key() tokens.Key { return tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"} }

func one(access string) tokens.Set {
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, RefreshToken: "SECRET-" + access, ResourceServer: "rs", Expiry: time.Unix(1700000000, 0)})
	if err != nil {
		panic(err)
	}
	return set
}

func path(t *testing.T, store *files.Store) string {
	t.Helper()
	file, err := store.Path(key())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func put(t *testing.T, store tokens.Store, set tokens.Set) {
	t.Helper()
	if _, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func holds(t *testing.T, store tokens.Store, want tokens.Set) {
	t.Helper()
	if got, err := store.Load(t.Context(), key()); err != nil || !got.Equal(want) {
		t.Errorf("Load: %v, %v, want %v", got, err, want)
	}
}

// obstruct puts something other than a file at the path of a file.
func obstruct(t *testing.T, file string) (repair func()) {
	t.Helper()
	_ = os.Rename(file, file+".away")
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		_ = os.Rename(file+".away", file)
	}
}

// fails makes an update whose result cannot be put into the file.
func fails(t *testing.T, store *files.Store, set tokens.Set) error {
	t.Helper()
	var repair func()
	got, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
		repair = obstruct(t, path(t, store))
		return set, nil
	})
	if err == nil || !got.Equal(set) || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("Update: %v, %v; want an error of one line beside what fn got", got, err)
	}
	repair()
	return err
}

// left returns what lies beside the file, its lock and the empty file for records.
func left(t *testing.T, store *files.Store) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path(t, store)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		name := entry.Name()
		empty := strings.HasSuffix(name, ".pending") && info.Size() == 0
		if name != filepath.Base(path(t, store)) && !strings.HasSuffix(name, ".lock") && !empty {
			names = append(names, name)
		}
	}
	return names
}

// leftover returns the path of the one file that was left.
func leftover(t *testing.T, store *files.Store) string {
	t.Helper()
	names := left(t, store)
	if len(names) != 1 {
		t.Fatalf("left behind: %q, want one record", names)
	}
	return filepath.Join(filepath.Dir(path(t, store)), names[0])
}

func fileCannotBeWritten(t *testing.T, open opener) {
	t.Helper()
	dir := t.TempDir()
	store := open(t, files.System{}, dir)
	put(t, store, one("A"))
	err := fails(t, store, one("B"))
	kept := leftover(t, store)
	if !strings.Contains(err.Error(), kept) {
		t.Errorf("the error %q does not name what was left: %s", err, kept)
	}
	if info, err := os.Stat(kept); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", kept, info, err)
	}
	next := open(t, files.System{}, dir) // the next process
	holds(t, next, one("B"))
	if _, err := next.Update(t.Context(), key(), func(current tokens.Set) (tokens.Set, error) {
		if !current.Equal(one("B")) {
			t.Errorf("the next update got %v", current)
		}
		return one("C"), nil
	}); err != nil {
		t.Error(err)
	}
	holds(t, next, one("C"))
	if names := left(t, next); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

// A record that cannot be given its name is read like one that has it.
func nothingCanBeRenamed(t *testing.T, open opener) {
	t.Helper()
	for name, before := range map[string]tokens.Set{"a login": one("A"), "no login": {}} {
		dir := t.TempDir()
		put(t, open(t, files.System{}, dir), before)
		var flushed []string
		broken := open(t, files.System{
			Rename: func(_, _ string) error { return syscall.EIO },
			Sync:   func(file *os.File) error { flushed = append(flushed, filepath.Base(file.Name())); return nil },
		}, dir)
		_ = fails(t, broken, one("B"))
		for _, kept := range left(t, broken) {
			if !slices.Contains(flushed, kept) {
				t.Errorf("%s: what is kept in %s is not flushed", name, kept)
			}
		}
		next := open(t, files.System{}, dir)
		holds(t, next, one("B"))
		if keys, err := next.Keys(t.Context()); err != nil || len(keys) != 1 {
			t.Errorf("%s: keys %v, %v", name, keys, err)
		}
		put(t, next, one("C"))
		holds(t, next, one("C"))
	}
}

func firstLoginLeftOver(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	_ = fails(t, store, one("A"))
	if err := os.Remove(path(t, store)); err != nil && !errors.Is(err, fs.ErrNotExist) { // SQLite's is there by now
		t.Fatal(err)
	}
	holds(t, store, one("A"))
	other := tokens.Key{ClientID: key().ClientID, Namespace: "other"}
	if got, err := store.Load(t.Context(), other); err != nil || !got.Equal(tokens.Set{}) {
		t.Errorf("another namespace holds %v, %v", got, err)
	}
	if keys, err := store.Keys(t.Context()); err != nil || len(keys) != 1 || keys[0].ClientID != key().ClientID || keys[0].Namespace != "DEFAULT" {
		t.Errorf("Keys: %v, %v", keys, err)
	}
	put(t, store, one("A"))
	holds(t, store, one("A"))
}

func leftoverIsTorn(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	put(t, store, one("A"))
	_ = fails(t, store, one("B"))
	dir := filepath.Dir(path(t, store))
	record := leftover(t, store)
	whole, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range [][]byte{{}, whole[:len(whole)-1], make([]byte, 1000)} {
		for _, name := range []string{record, filepath.Join(dir, "."+filepath.Base(path(t, store))+".1.tmp")} {
			if err := os.WriteFile(name, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			holds(t, store, one("A"))
			put(t, store, one("A"))
			holds(t, store, one("A"))
			if names := left(t, store); len(names) > 0 {
				t.Errorf("left behind: %q", names)
			}
		}
	}
	// One that was not cut to its length yet is whole.
	if err := os.WriteFile(record, append(whole, make([]byte, 1000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Update(t.Context(), key(), func(current tokens.Set) (tokens.Set, error) { return current, nil }); err != nil || !got.Equal(one("B")) {
		t.Errorf("Update: %v, %v", got, err)
	}
	holds(t, store, one("B"))
}

func leftoverIsStale(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	put(t, store, one("A"))
	_ = fails(t, store, one("B"))
	record := leftover(t, store)
	whole, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, one("C")) // a login
	if err := os.WriteFile(record, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, store, one("C"))
	put(t, store, one("C"))
	holds(t, store, one("C"))
	if names := left(t, store); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

func deleteRemovesLeftover(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	_ = fails(t, store, one("A"))
	if err := store.Delete(t.Context(), key()); err != nil {
		t.Fatal(err)
	}
	holds(t, store, tokens.Set{})
	put(t, store, tokens.Set{})
	holds(t, store, tokens.Set{})
	if names := left(t, store); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}

func deleteDamaged(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	_ = fails(t, store, one("A")) // what was received is forgotten too
	file := path(t, store)
	if err := os.WriteFile(file, []byte(strings.Repeat("\x00SECRET", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Load(t.Context(), key())
	if !errors.Is(err, tokens.ErrUnreadable) || !strings.Contains(err.Error(), ".damaged") {
		t.Errorf("Load: %v, want ErrUnreadable that says what to do", err)
	}
	if err := store.Delete(t.Context(), key()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	holds(t, store, tokens.Set{})
	put(t, store, one("B"))
	holds(t, store, one("B"))
	if names := left(t, store); len(names) != 1 || names[0] != filepath.Base(file)+".damaged" {
		t.Errorf("left behind: %q", names)
	}
}

func fileOthersCanUse(t *testing.T, open opener) {
	t.Helper()
	for suffix, load := range map[string]error{"": tokens.ErrUnsafe, ".pending": nil} {
		store := open(t, files.System{}, t.TempDir())
		put(t, store, one("A"))
		if err := os.Chmod(path(t, store)+suffix, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Load(t.Context(), key()); !errors.Is(err, load) {
			t.Errorf("Load: %v, want %v", err, load)
		}
		if _, err := store.Update(t.Context(), key(), func(tokens.Set) (tokens.Set, error) {
			t.Error("fn was called")
			return tokens.Set{}, nil
		}); !errors.Is(err, tokens.ErrUnsafe) {
			t.Errorf("Update: %v, want ErrUnsafe", err)
		}
	}
}

func deleteFileOthersCanUse(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	put(t, store, one("A"))
	if err := os.Chmod(path(t, store), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), key()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	holds(t, store, tokens.Set{})
	put(t, store, one("B"))
}

func emptyFile(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	file := path(t, store)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	holds(t, store, tokens.Set{})
	if err := store.Delete(t.Context(), key()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	put(t, store, one("A"))
	holds(t, store, one("A"))
}

// An update that changes nothing says whether one that does could be stored.
func rehearsal(t *testing.T, open opener) {
	t.Helper()
	same := func(current tokens.Set) (tokens.Set, error) { return current, nil }
	for name, damage := range map[string]func(t *testing.T, file string){
		"damaged": func(t *testing.T, file string) {
			t.Helper()
			if err := os.WriteFile(file, []byte("half of someth"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"open to others": func(t *testing.T, file string) {
			t.Helper()
			if err := os.Chmod(file, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"a directory": func(t *testing.T, file string) { t.Helper(); _ = obstruct(t, file) },
		"no lock": func(t *testing.T, file string) {
			t.Helper()
			if err := errors.Join(os.Remove(file+".lock"), os.Mkdir(file+".lock", 0o700)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		store := open(t, files.System{}, t.TempDir())
		put(t, store, one("A"))
		if _, err := store.Update(t.Context(), key(), same); err != nil {
			t.Errorf("a good file: %v", err)
		}
		damage(t, path(t, store))
		if _, err := store.Update(t.Context(), key(), same); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Every failure keeps the last set that was received.
func manyFailures(t *testing.T, open opener) {
	t.Helper()
	store := open(t, files.System{}, t.TempDir())
	put(t, store, one("0"))
	for _, access := range []string{"1", "2", "3"} {
		_ = fails(t, store, one(access))
		holds(t, store, one(access))
	}
	put(t, store, tokens.Set{})
	holds(t, store, tokens.Set{})
	if names := left(t, store); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}
