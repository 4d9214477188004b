package sqlitestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const clientID = "7fb58e00-839d-44e3-8047-10a502612dca"

func testKey() tokens.Key { return tokens.Key{ClientID: clientID} }

func open(tb testing.TB, config sqlitestore.Config) *sqlitestore.Store {
	tb.Helper()
	if config.Path == "" && config.AppName == "" {
		config.AppName = "My App"
	}
	if config.Path == "" && config.Dir == "" {
		config.Dir = tb.TempDir()
	}
	store, err := sqlitestore.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func path(tb testing.TB, store *sqlitestore.Store, key tokens.Key) string {
	tb.Helper()
	file, err := store.Path(key)
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

func one(tb testing.TB, access string) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(tokens.Token{
		AccessToken: access, RefreshToken: "SECRET-REFRESH", ResourceServer: "rs", Scope: "s", Expiry: time.Unix(1700000000, 0),
	})
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

// raw opens a file as another program does, and makes it if need be.
func raw(tb testing.TB, file string) *sqlite3.Conn {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		tb.Fatal(err)
	}
	made, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if err := made.Close(); err != nil {
		tb.Fatal(err)
	}
	db, err := sqlite3.Open("file:" + file)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func execute(tb testing.TB, db *sqlite3.Conn, statement string, args ...string) {
	tb.Helper()
	query(tb, db, statement, args...)
}

// column returns the first column of a query, as text.
func column(tb testing.TB, db *sqlite3.Conn, statement string) []string {
	tb.Helper()
	return query(tb, db, statement)
}

func query(tb testing.TB, db *sqlite3.Conn, statement string, args ...string) (texts []string) {
	tb.Helper()
	prepared, _, err := db.Prepare(statement)
	if err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
	for i, arg := range args {
		if err := prepared.BindText(i+1, arg); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	for prepared.Step() {
		texts = append(texts, prepared.ColumnText(0))
	}
	if err := errors.Join(prepared.Err(), prepared.Close()); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
	return texts
}

func TestStore_Contract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		dir := t.TempDir()
		return open(t, sqlitestore.Config{Dir: dir}), open(t, sqlitestore.Config{Dir: dir})
	})
}

func TestStore_UnreadableFile(t *testing.T) {
	t.Parallel()
	row := func(data string) func(*testing.T, string) {
		return func(t *testing.T, file string) {
			t.Helper()
			pythons(t, file, readFixture(t).V2, [][3]string{{"DEFAULT", "rs", data}})
		}
	}
	for name, row := range map[string]struct {
		damage func(t *testing.T, file string)
		want   string
	}{
		"no database": {func(t *testing.T, file string) {
			t.Helper()
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(strings.Repeat("SECRET ", 500)), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "damaged"},
		"another program's": {func(t *testing.T, file string) {
			t.Helper()
			execute(t, raw(t, file), `CREATE TABLE theirs (x)`)
		}, "another program's file"},
		"newer schema": {func(t *testing.T, file string) {
			t.Helper()
			execute(t, pythons(t, file, readFixture(t).V2, nil), `UPDATE sdk_storage_adapter_internal SET value = '3' WHERE value = '2'`)
		}, `"3"`},
		"no schema version": {func(t *testing.T, file string) {
			t.Helper()
			execute(t, pythons(t, file, readFixture(t).V2, nil), `DELETE FROM sdk_storage_adapter_internal`)
		}, `""`},
		"torn page": {func(t *testing.T, file string) {
			t.Helper()
			recorded := readFixture(t).V2
			_ = pythons(t, file, recorded, recorded.Tokens).Close()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := 4096; i < len(data); i++ {
				data[i] = 0xff
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "damaged"},
		"more than 16 MiB": {func(t *testing.T, file string) {
			t.Helper()
			execute(t, pythons(t, file, readFixture(t).V2, nil), `INSERT INTO token_storage VALUES ('DEFAULT', 'rs', '"' || hex(zeroblob(9000000)) || '"')`)
		}, "holds more than 16 MiB"},
		"row that is no JSON":   {row(`SECRET`), "resource_server"},
		"row of another type":   {row(`["SECRET"]`), "not a JSON object of tokens"},
		"row without a token":   {row(`{"resource_server":"rs","scope":"SECRET","expires_at_seconds":1}`), "no access token"},
		"row of another server": {row(`{"resource_server":"other","scope":"s","access_token":"SECRET","expires_at_seconds":1}`), `the resource_server of "rs" is "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, sqlitestore.Config{})
			file := path(t, store, testKey())
			row.damage(t, file)
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, loadErr := store.Load(t.Context(), testKey())
			_, updateErr := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
				t.Error("fn was called")
				return tokens.Set{}, nil
			})
			for what, err := range map[string]error{"Load": loadErr, "Update": updateErr} {
				if !errors.Is(err, tokens.ErrUnreadable) || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), file) {
					t.Errorf("%s: error %v, want ErrUnreadable with %q", what, err, row.want)
				}
				if err != nil && strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%s: the error quotes what is stored: %v", what, err)
				}
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestStore_EmptyFile(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	raw(t, path(t, store, testKey()))
	if set, err := store.Load(t.Context(), testKey()); err != nil || !set.Equal(tokens.Set{}) {
		t.Errorf("%v, %v", set, err)
	}
	put(t, store, testKey(), one(t, "A"))
	if set, err := store.Load(t.Context(), testKey()); err != nil || !set.Equal(one(t, "A")) {
		t.Errorf("%v, %v", set, err)
	}
}

// Another program writes: it is waited for, then reported.
func TestStore_DatabaseLocked(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{LockTimeout: 50 * time.Millisecond})
	put(t, store, testKey(), one(t, "A"))
	db := raw(t, path(t, store, testKey()))
	execute(t, db, `BEGIN EXCLUSIVE`)
	if _, err := store.Load(t.Context(), testKey()); !errors.Is(err, tokens.ErrLocked) {
		t.Errorf("Load: %v, want ErrLocked", err)
	}
	execute(t, db, `ROLLBACK`)
	got, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		execute(t, db, `BEGIN IMMEDIATE`)
		return one(t, "B"), nil
	})
	if !errors.Is(err, tokens.ErrLocked) || !got.Equal(one(t, "B")) {
		t.Errorf("Update: %v, %v: want ErrLocked beside what fn got", got, err)
	}
	execute(t, db, `ROLLBACK`)
	put(t, store, testKey(), one(t, "C"))
	// What cannot be written is found out before fn uses a refresh token.
	execute(t, db, `BEGIN IMMEDIATE`)
	if _, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		t.Error("fn was called although nothing can be written")
		return one(t, "D"), nil
	}); !errors.Is(err, tokens.ErrLocked) {
		t.Errorf("Update: %v, want ErrLocked", err)
	}
	execute(t, db, `ROLLBACK`)
}

func TestStoreUpdate_ReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	if err := os.Chmod(path(t, store, testKey()), 0o400); err != nil {
		t.Fatal(err)
	}
	called := false
	_, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		called = true
		return one(t, "B"), nil
	})
	if called != (err == nil) { // root may write it all the same
		t.Errorf("fn called: %v, then %v", called, err)
	}
}

// A database can be opened for writing although no journal can be made beside it.
func TestStoreUpdate_NoJournal(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "old"))
	// SQLite follows no link, and looks through one that leads nowhere for a journal to play back.
	if err := os.Symlink(filepath.Join(t.TempDir(), "none"), path(t, store, testKey())+"-journal"); err != nil {
		if runtime.GOOS != "windows" {
			t.Fatal(err)
		}
		t.Skip("Windows makes no link for this user")
	}
	asked := false
	_, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) { asked = true; return one(t, "new"), nil })
	if err == nil || asked {
		t.Errorf("error %v; fn was called: %t", err, asked)
	}
}

// The database is removed while fn runs.
func TestStoreUpdate_DatabaseRemoved(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	if _, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		return one(t, "B"), os.Remove(path(t, store, testKey()))
	}); err != nil {
		t.Errorf("Update: %v", err)
	}
	if got, err := store.Load(t.Context(), testKey()); err != nil || !got.Equal(one(t, "B")) {
		t.Errorf("%v, %v", got, err)
	}
}

// A refresh takes long; a Python program must be able to write meanwhile.
func TestStoreUpdate_PythonWritesMeanwhile(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, "A"))
	db := raw(t, path(t, store, testKey()))
	if _, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) {
		execute(t, db, `INSERT INTO token_storage VALUES ('DEFAULT', 'theirs', '{"resource_server":"theirs","scope":"s","access_token":"T","expires_at_seconds":1}')`)
		return one(t, "B"), nil
	}); err != nil {
		t.Fatal(err)
	}
	set, err := store.Load(t.Context(), testKey())
	if theirs, found := set.ByResourceServer("theirs"); err != nil || !found || theirs.AccessToken != "T" || !set.Without("theirs").Equal(one(t, "B")) {
		t.Errorf("%v, %v", set, err)
	}
}

// The journal of a killed process outlives a database that another program removes. It
// must not be played into the next one.
func TestStoreUpdate_JournalWithoutDatabase(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	file := path(t, store, testKey())
	db := pythons(t, file, readFixture(t).V2, nil)
	execute(t, db, `PRAGMA cache_size = 1`) // so that the transaction reaches the disk before its end
	execute(t, db, `BEGIN`)
	execute(t, db, `DELETE FROM sdk_storage_adapter_internal`)
	execute(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
		INSERT INTO token_storage SELECT 'DEFAULT', i, hex(randomblob(500)) FROM n`)
	journal, err := os.ReadFile(file + "-journal")
	if err != nil || len(journal) < 1000 {
		t.Fatalf("no journal: %d bytes, %v", len(journal), err)
	}
	execute(t, db, `ROLLBACK`)
	if err := errors.Join(db.Close(), os.Remove(file), os.WriteFile(file+"-journal", journal, 0o600)); err != nil {
		t.Fatal(err)
	}
	put(t, store, testKey(), one(t, "B"))
	if got, err := store.Load(t.Context(), testKey()); err != nil || !got.Equal(one(t, "B")) {
		t.Errorf("%v, %v", got, err)
	}
	after := raw(t, file)
	if got := column(t, after, `PRAGMA integrity_check`); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("integrity: %q", got)
	}
	if got := column(t, after, `SELECT value FROM sdk_storage_adapter_internal ORDER BY attribute`); !slices.Equal(got, []string{"2", "globusauth-go"}) {
		t.Errorf("the old database came back: %q", got)
	}
}

func TestStoreDelete_OverwritesTokens(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	put(t, store, testKey(), one(t, strings.Repeat("SECRET-ACCESS", 100)))
	if err := store.Delete(t.Context(), testKey()); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path(t, store, testKey())); err != nil || strings.Contains(string(data), "SECRET") {
		t.Errorf("the file still holds the token: %v", err)
	}
}

func TestNew_OddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with space", "per%20cent", "question?mode=memory", "hash#x", "üñï", "a'b\"c;d&e=f"} {
		file := filepath.Join(t.TempDir(), name, "tokens.db")
		store := open(t, sqlitestore.Config{Path: file, ClientID: "c"})
		put(t, store, tokens.Key{ClientID: "c"}, one(t, "A"))
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if set, err := open(t, sqlitestore.Config{Path: file, ClientID: "c"}).Load(t.Context(), tokens.Key{ClientID: "c"}); err != nil || !set.Equal(one(t, "A")) {
			t.Errorf("%s: %v, %v", name, set, err)
		}
	}
}

func TestNew_InvalidConfig(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]sqlitestore.Config{
		"use tokens.Memory":       {Path: ":memory:", ClientID: "c"},
		"needs the client":        {Path: "x"},
		"choose one":              {Path: "x", AppName: "y", ClientID: "c"},
		"reserves":                {AppName: "CON"},
		"LockTimeout is negative": {AppName: "x", LockTimeout: -1},
	} {
		if _, err := sqlitestore.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
