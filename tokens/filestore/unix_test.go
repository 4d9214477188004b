//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// otherUser is a user who does not run this test.
const otherUser = 65534

func TestStore_UnsafePath(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(t *testing.T, file string) error
		want   string
	}{
		"directory is shared":  {func(_ *testing.T, file string) error { return os.Chmod(filepath.Dir(file), 0o777) }, "chmod go-w"},
		"directory of a group": {func(_ *testing.T, file string) error { return os.Chmod(filepath.Dir(file), 0o770) }, "chmod go-w"},
		"directory is sticky":  {func(_ *testing.T, file string) error { return os.Chmod(filepath.Dir(file), 0o777|fs.ModeSticky) }, "chmod go-w"},
		"a pipe": {func(_ *testing.T, file string) error {
			return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600))
		}, "not a regular file"},
		"a directory": {func(_ *testing.T, file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) }, "not a regular file"},
		"a device behind a link": {func(_ *testing.T, file string) error {
			return errors.Join(os.Remove(file), os.Symlink("/dev/null", file))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, filestore.Config{})
			put(t, store, testKey(), one(t, "A"))
			if err := row.change(t, path(t, store, testKey())); err != nil {
				t.Fatal(err)
			}
			refusesUnsafe(t, store, row.want)
		})
	}
}

// Deleting such a file's tokens is allowed: see Delete_FileOthersCanUse.
func TestStore_FileOthersCanRead(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o640, 0o602} {
		store := open(t, filestore.Config{})
		put(t, store, testKey(), one(t, "A"))
		if err := os.Chmod(path(t, store, testKey()), mode); err != nil {
			t.Fatal(err)
		}
		_, loadErr := store.Load(t.Context(), testKey())
		_, updateErr := store.Update(t.Context(), testKey(), func(current tokens.Set) (tokens.Set, error) { return current, nil })
		for what, err := range map[string]error{"Load": loadErr, "Update": updateErr} {
			if !errors.Is(err, tokens.ErrUnsafe) || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("%s of a file of mode %v: %v, want ErrUnsafe", what, mode, err)
			}
		}
	}
}

func refusesUnsafe(t *testing.T, store *filestore.Store, want string) {
	t.Helper()
	_, loadErr := store.Load(t.Context(), testKey())
	_, updateErr := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called")
		return tokens.Set{}, nil
	})
	for what, err := range map[string]error{"Load": loadErr, "Update": updateErr, "Delete": store.Delete(t.Context(), testKey())} {
		if !errors.Is(err, tokens.ErrUnsafe) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want ErrUnsafe with %q", what, err, want)
		}
	}
}

// The owner is another user; only root can make such files, and tests run as
// root in containers.
func TestStore_ForeignOwner(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(file string) error{
		"file":      func(file string) error { return os.Chown(file, otherUser, -1) },
		"directory": func(file string) error { return os.Chown(filepath.Dir(file), otherUser, -1) },
		"symlink": func(file string) error {
			return errors.Join(os.Rename(file, file+".real"), os.Symlink(file+".real", file), os.Lchown(file, otherUser, -1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, filestore.Config{})
			put(t, store, testKey(), one(t, "A"))
			err := change(path(t, store, testKey()))
			if os.Geteuid() != 0 {
				if !errors.Is(err, fs.ErrPermission) {
					t.Errorf("giving a file away: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			refusesUnsafe(t, store, "belongs to user 65534")
		})
	}
}

func TestStoreUpdate_SymlinkIsKept(t *testing.T) {
	t.Parallel()
	store := open(t, filestore.Config{})
	file := path(t, store, testKey())
	real := filepath.Join(t.TempDir(), "real.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, file); err != nil { // to nothing yet
		t.Fatal(err)
	}
	put(t, store, testKey(), one(t, "A"))
	put(t, store, testKey(), one(t, "B"))
	if info, err := os.Lstat(file); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if !strings.Contains(content(t, real), `"B"`) {
		t.Errorf("the target holds %s", content(t, real))
	}
	if got, err := store.Load(t.Context(), testKey()); err != nil || !got.Equal(one(t, "B")) {
		t.Errorf("%v, %v", got, err)
	}
	if err := errors.Join(os.Remove(real), os.Symlink(file, real)); err != nil { // a loop
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), testKey()); err == nil || !strings.Contains(err.Error(), "symlinks") {
		t.Errorf("a loop of links: %v", err)
	}
}

func TestStoreUpdate_DirIsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "not a directory")
	write(t, file, "x")
	store := open(t, filestore.Config{Dir: file})
	_, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called")
		return tokens.Set{}, nil
	})
	if !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error %v", err)
	}
}

// childEnv makes this test binary do something else than testing.
const childEnv = "FILESTORE_CHILD"

// TestStoreUpdate_FullDisk runs updates in a process that may write files of 200 kB at most,
// which fails as a full disk does.
func TestStoreUpdate_FullDisk(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"no room at all", "no room for the tokens"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "tokens.json")
			store := open(t, filestore.Config{Path: file, ClientID: clientID})
			put(t, store, testKey(), one(t, "A"))
			before := content(t, file)
			run := exec.CommandContext(t.Context(), os.Args[0])
			run.Env = append(os.Environ(), childEnv+"="+what, "FILESTORE_PATH="+file)
			if output, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			if content(t, file) != before {
				t.Error("the file was changed")
			}
			if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 3 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
			put(t, store, testKey(), one(t, "B"))
		})
	}
}

// child is TestStoreUpdate_FullDisk's other process. It returns its exit status.
func child(what string) int {
	err := func() error {
		signal.Ignore(syscall.SIGXFSZ)
		limit := uint64(200_000)
		if what == "no room at all" {
			limit = 1000
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return err
		}
		store, err := filestore.New(filestore.Config{Path: os.Getenv("FILESTORE_PATH"), ClientID: clientID})
		if err != nil {
			return err
		}
		received, err := tokens.NewSet(tokens.Token{AccessToken: strings.Repeat("x", 400_000), ResourceServer: "rs"})
		if err != nil {
			return err
		}
		called := false
		got, err := store.Update(context.Background(), testKey(), func(tokens.Set) (tokens.Set, error) {
			called = true
			return received, nil
		})
		if !errors.Is(err, syscall.EFBIG) || strings.Contains(err.Error(), "xxxx") {
			return fmt.Errorf("error %w", err)
		}
		if what == "no room at all" && called {
			return errors.New("fn was called although there is no room for what it gets")
		}
		if what != "no room at all" && !got.Equal(received) {
			return errors.New("the tokens that could not be stored were not returned")
		}
		loaded, err := store.Load(context.Background(), testKey())
		if token, _ := loaded.ByResourceServer("rs"); err != nil || token.AccessToken != "A" {
			return fmt.Errorf("afterwards %v, %w", loaded, err)
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
