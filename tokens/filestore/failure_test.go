package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/internal/files"
)

// A set that was received and cannot be written is not lost, whatever fails.
func TestStoreUpdate_SystemCallFails(t *testing.T) {
	t.Parallel()
	document := func(name string) bool { return filepath.Base(name) == "tokens.json" }
	for name, fail := range map[string]func(system *files.System, err error){
		"rename of the file": func(system *files.System, err error) {
			system.Rename = func(from, to string) error {
				if document(to) {
					return err
				}
				return os.Rename(from, to)
			}
		},
		"every rename": func(system *files.System, err error) { system.Rename = func(string, string) error { return err } },
		"every flush":  func(system *files.System, err error) { system.Sync = func(*os.File) error { return err } },
		"both": func(system *files.System, err error) {
			system.Rename, system.Sync = func(string, string) error { return err }, func(*os.File) error { return err }
		},
	} {
		for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
			t.Run(fmt.Sprintf("%s: %v", name, errno), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				put(t, open(t, filestore.Config{Dir: dir}), testKey(), one(t, "A"))
				var system files.System
				fail(&system, errno)
				broken, err := filestore.NewOn(system, filestore.Config{AppName: "My App", Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				got, err := broken.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) { return one(t, "B"), nil })
				if !errors.Is(err, errno) || !got.Equal(one(t, "B")) {
					t.Fatalf("Update: %v, %v; want what fn got beside the error", got, err)
				}
				left, err2 := filepath.Glob(filepath.Join(filepath.Dir(path(t, broken, testKey())), "*.pending"))
				if err2 != nil || len(left) != 1 || !strings.Contains(err.Error(), left[0]) {
					t.Errorf("the error %q does not name what was left: %q, %v", err, left, err2)
				}
				next := open(t, filestore.Config{Dir: dir})
				put(t, next, tokens.Key{ClientID: clientID, Namespace: "other"}, one(t, "O"))
				if got, err := next.Load(t.Context(), testKey()); err != nil || !got.Equal(one(t, "B")) {
					t.Errorf("the next process: %v, %v", got, err)
				}
			})
		}
	}
}
