package sqlitefile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens/internal/files"
)

func temporary(t *testing.T) files.File {
	t.Helper()
	dir := t.TempDir() // which others may list: the journal has to protect itself
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := files.File{Path: filepath.Join(dir, "tokens.db"), LockTimeout: time.Second}
	if err := os.WriteFile(file.Path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A journal holds the tokens that a transaction replaces.
func TestBackendWrite_JournalIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	file := temporary(t)
	err := new(Backend).write(t.Context(), file, func(d *database) error {
		if err := d.conn.Exec(rehearsal); err != nil {
			return err
		}
		info, err := os.Stat(file.Path + "-journal")
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("others can use the journal: mode %v", info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file.Path + "-journal"); !os.IsNotExist(err) {
		t.Errorf("the journal is left: %v", err)
	}
}
