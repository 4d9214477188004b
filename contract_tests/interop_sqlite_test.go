//go:build interop

package contract_test

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// SQLite as Python links it: written in C, with the locks of its own.
type sqliteC struct {
	in    io.WriteCloser
	out   *bufio.Scanner
	child *exec.Cmd
}

func startSQLite(t *testing.T, file string) *sqliteC {
	t.Helper()
	c := &sqliteC{child: exec.CommandContext(t.Context(), "sqlite3", "-batch", file)}
	var err error
	if c.in, err = c.child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.child.Stderr = c.child.Stdout
	c.out = bufio.NewScanner(out)
	if err := c.child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.in.Close(); _ = c.child.Wait() })
	return c
}

// run runs statements and returns what they print, errors included.
func (c *sqliteC) run(t *testing.T, statements string) string {
	t.Helper()
	if _, err := io.WriteString(c.in, statements+"\n.print DONE\n"); err != nil {
		t.Fatal(err)
	}
	var printed []string
	for c.out.Scan() {
		if c.out.Text() == "DONE" {
			return strings.Join(printed, "\n")
		}
		printed = append(printed, c.out.Text())
	}
	t.Fatalf("sqlite3 ended: %q, %v", printed, c.out.Err())
	return ""
}

// TestSQLiteStore_EngineInC shares a file with SQLite in C: its locks, its transactions, its journals.
func TestSQLiteStore_EngineInC(t *testing.T) {
	t.Parallel()
	const clientID = "7fb58e00-839d-44e3-8047-10a502612dca"
	key := tokens.Key{ClientID: clientID}
	file := filepath.Join(t.TempDir(), "tokens.db")
	store, err := sqlitestore.New(sqlitestore.Config{Path: file, ClientID: clientID, LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	put := func(access string) error {
		_, err := store.Update(t.Context(), key, func(current tokens.Set) (tokens.Set, error) {
			next, err := tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs", Scope: "s", Expiry: time.Unix(1700000000, 0)})
			return current.Merge(next), err
		})
		return err
	}
	check := func(want string) {
		t.Helper()
		set, err := store.Load(t.Context(), key)
		if token, _ := set.ByResourceServer("rs"); err != nil || token.AccessToken != want {
			t.Fatalf("loaded %v, %v, want the token %q", set, err, want)
		}
	}
	if err := put("A"); err != nil {
		t.Fatal(err)
	}
	check("A")
	c := startSQLite(t, file)
	if got := c.run(t, `SELECT json_extract(token_data_json, '$.access_token') FROM token_storage; PRAGMA integrity_check;`); got != "A\nok" {
		t.Fatalf("SQLite in C reads %q", got)
	}

	// Its locks exclude ours.
	c.run(t, `BEGIN IMMEDIATE;`)
	check("A") // it has not begun to write
	if err := put("B"); !errors.Is(err, tokens.ErrLocked) {
		t.Errorf("Update beside its transaction: %v, want ErrLocked", err)
	}
	c.run(t, `ROLLBACK; BEGIN EXCLUSIVE;`)
	if _, err := store.Load(t.Context(), key); !errors.Is(err, tokens.ErrLocked) {
		t.Errorf("Load beside its exclusive transaction: %v, want ErrLocked", err)
	}
	c.run(t, `ROLLBACK;`)

	// Ours exclude it.
	ours, err := sqlite3.Open("file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	for begin, read := range map[string]string{`BEGIN IMMEDIATE`: "1", `BEGIN EXCLUSIVE`: "locked"} {
		if err := ours.Exec(begin); err != nil {
			t.Fatal(err)
		}
		if got := c.run(t, `SELECT count(*) FROM token_storage;`); !strings.Contains(got, read) {
			t.Errorf("beside our %s, it reads %q, want %q", begin, got, read)
		}
		if got := c.run(t, `DELETE FROM token_storage;`); !strings.Contains(got, "locked") {
			t.Errorf("beside our %s, it writes: %q", begin, got)
		}
		if err := ours.Exec(`ROLLBACK`); err != nil {
			t.Fatal(err)
		}
	}

	// It is killed with a transaction half on the disk, and leaves its journal.
	c.run(t, `PRAGMA cache_size = 1; BEGIN; DELETE FROM token_storage;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
		INSERT INTO token_storage SELECT 'DEFAULT', i, hex(randomblob(500)) FROM n;`)
	if err := c.child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.child.Wait()
	check("A")
	if err := put("C"); err != nil {
		t.Fatal(err)
	}
	again := startSQLite(t, file)
	if got := again.run(t, `SELECT json_extract(token_data_json, '$.access_token') FROM token_storage; PRAGMA integrity_check;`); got != "C\nok" {
		t.Errorf("after its end, SQLite in C reads %q", got)
	}
}
