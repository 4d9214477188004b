package sqlitestore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
func raw(tb testing.TB, file string) *sql.DB {
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
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

func execute(tb testing.TB, db *sql.DB, statement string, args ...any) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), statement, args...); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// column returns the first column of a query, as text.
func column(tb testing.TB, db *sql.DB, query string) []string {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), query)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var texts []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			tb.Fatal(err)
		}
		texts = append(texts, text)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return texts
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) tokens.Store {
		t.Helper()
		return open(t, sqlitestore.Config{})
	})
	storetest.RunShared(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		dir := t.TempDir()
		return open(t, sqlitestore.Config{Dir: dir}), open(t, sqlitestore.Config{Dir: dir})
	})
}

type database struct {
	Schema   []string
	Internal map[string]string
	Tokens   [][3]string `json:"token_storage"`
	Pragma   struct {
		JournalMode string `json:"journal_mode"`
		UserVersion int    `json:"user_version"`
		Encoding    string
	}
}

type fixture struct {
	V2        database `json:"sqlite_v2"`
	V1        database `json:"sqlite_legacy_v1"`
	V1Written struct {
		Tokens [][3]string `json:"token_storage"`
		Config [][3]string `json:"config_storage"`
	} `json:"sqlite_legacy_v1_written"`
	Paths map[string]string
}

func readFixture(tb testing.TB) fixture {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "token_storage.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(data, &f); err != nil {
		tb.Fatal(err)
	}
	return f
}

// pythons makes a database as the Python SDK did.
func pythons(tb testing.TB, file string, recorded database, rows [][3]string) *sql.DB {
	tb.Helper()
	db := raw(tb, file)
	for _, statement := range recorded.Schema {
		execute(tb, db, statement)
	}
	for attribute, value := range recorded.Internal {
		execute(tb, db, `INSERT INTO sdk_storage_adapter_internal VALUES (?, ?)`, attribute, value)
	}
	for _, row := range rows {
		execute(tb, db, `INSERT INTO token_storage VALUES (?, ?, ?)`, row[0], row[1], row[2])
	}
	return db
}

func TestPaths(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{AppName: "My App", Dir: "/home/u/.globus/app"})
	for environment, want := range readFixture(t).Paths {
		if got := path(t, store, tokens.Key{ClientID: clientID, Environment: environment}); got != filepath.FromSlash(want)+".db" {
			t.Errorf("%s: %s, want %s.db", environment, got, want)
		}
	}
}

func TestMakesThePythonSDKsDatabase(t *testing.T) {
	t.Parallel()
	recorded := readFixture(t).V2
	store := open(t, sqlitestore.Config{})
	token := tokens.Token{
		AccessToken: "A2", ResourceServer: "transfer.api.globus.org",
		Scope: "urn:globus:auth:scope:transfer.api.globus.org:all", Expiry: time.Unix(1700000001, 0),
	}
	set, err := tokens.NewSet(token)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, testKey(), set)
	file := path(t, store, testKey())
	db := raw(t, file)
	if got := column(t, db, `SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name`); !slices.Equal(got, recorded.Schema) {
		t.Errorf("schema\n%q\nwant\n%q", got, recorded.Schema)
	}
	if got := column(t, db, `SELECT attribute FROM sdk_storage_adapter_internal ORDER BY attribute`); len(got) != len(recorded.Internal) {
		t.Errorf("internal attributes %q", got)
	}
	for pragma, want := range map[string]string{
		"journal_mode": recorded.Pragma.JournalMode, "user_version": fmt.Sprint(recorded.Pragma.UserVersion), "encoding": recorded.Pragma.Encoding,
	} {
		if got := column(t, db, "PRAGMA "+pragma); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", pragma, got, want)
		}
	}
	var got, want any
	rows := column(t, db, `SELECT token_data_json FROM token_storage WHERE namespace = 'DEFAULT' AND resource_server = 'transfer.api.globus.org'`)
	if len(rows) != 1 || json.Unmarshal([]byte(rows[0]), &got) != nil || json.Unmarshal([]byte(recorded.Tokens[1][2]), &want) != nil ||
		fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("row %q, want %s", rows, recorded.Tokens[1][2])
	}
	for name, mode := range map[string]fs.FileMode{filepath.Dir(file): 0o700, file: 0o600, file + ".lock": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %v", name, info, err, mode)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReadsWhatPythonWrote(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	recorded := readFixture(t).V2
	db := pythons(t, path(t, store, testKey()), recorded, recorded.Tokens)
	set, err := store.Load(t.Context(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	auth, _ := set.ByResourceServer("auth.globus.org")
	if len(set.All()) != 2 || auth.RefreshToken != "R1" || auth.Expiry.Unix() != 1700000000 {
		t.Errorf("read %v", set)
	}
	if _, err := store.Update(t.Context(), testKey(), func(current tokens.Set) (tokens.Set, error) {
		return current.Without("auth.globus.org"), nil
	}); err != nil {
		t.Fatal(err)
	}
	if left := column(t, db, `SELECT resource_server FROM token_storage`); !slices.Equal(left, []string{"transfer.api.globus.org"}) {
		t.Errorf("left %q", left)
	}
}

// The Globus CLI's database: read, updated, and otherwise left as it is.
func TestLegacySchema(t *testing.T) {
	t.Parallel()
	recorded := readFixture(t)
	file := filepath.Join(t.TempDir(), "storage.db")
	db := pythons(t, file, recorded.V1, recorded.V1Written.Tokens)
	for _, row := range recorded.V1Written.Config {
		execute(t, db, `INSERT INTO config_storage VALUES (?, ?, ?)`, row[0], row[1], row[2])
	}
	before := column(t, db, `SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	store := open(t, sqlitestore.Config{Path: file, ClientID: "c"})
	key := tokens.Key{ClientID: "c", Namespace: "userprofile/production"}
	set, err := store.Load(t.Context(), key)
	if token, found := set.ByResourceServer("auth.globus.org"); err != nil || !found || token.AccessToken != "A" || token.RefreshToken != "" {
		t.Fatalf("%v, %v", set, err)
	}
	next, err := tokens.NewSet(tokens.Token{AccessToken: "B", ResourceServer: "auth.globus.org", Scope: "openid", Expiry: time.Unix(1800000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, key, next)
	want := `{"access_token":"B","expires_at_seconds":1800000000,"refresh_token":null,"resource_server":"auth.globus.org","scope":"openid","token_type":null}`
	if got := column(t, db, `SELECT token_data_json FROM token_storage`); !slices.Equal(got, []string{want}) {
		t.Errorf("row %q, want %s", got, want)
	}
	if after := column(t, db, `SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name`); !slices.Equal(after, before) {
		t.Errorf("schema changed: %q", after)
	}
	if version := column(t, db, `SELECT value FROM sdk_storage_adapter_internal ORDER BY attribute`); !slices.Equal(version, []string{"1", "4.9.0"}) {
		t.Errorf("versions %q", version)
	}
	if config := column(t, db, `SELECT config_data_json FROM config_storage`); len(config) != 1 {
		t.Errorf("configuration %q", config)
	}
}

func TestKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{})
	db := pythons(t, path(t, store, testKey()), readFixture(t).V2, [][3]string{
		{"DEFAULT", "rs", `{"resource_server":"rs","scope":"s","access_token":"old","expires_at_seconds":1,"future_field":[2.50]}`},
		{"DEFAULT", "same", `{"resource_server":"same","scope":"s","access_token":"same", "expires_at_seconds":1}`},
	})
	execute(t, db, `CREATE TABLE theirs (x)`)
	set, err := store.Load(t.Context(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, testKey(), set.Merge(one(t, "A")))
	want := []string{
		`{"access_token":"A","expires_at_seconds":1700000000,"future_field":[2.50],"refresh_token":"SECRET-REFRESH","resource_server":"rs","scope":"s"}`,
		`{"resource_server":"same","scope":"s","access_token":"same", "expires_at_seconds":1}`,
	}
	if got := column(t, db, `SELECT token_data_json FROM token_storage ORDER BY resource_server`); !slices.Equal(got, want) {
		t.Errorf("rows %q\nwant %q", got, want)
	}
	if got := column(t, db, `SELECT name FROM sqlite_master WHERE name = 'theirs'`); len(got) != 1 {
		t.Error("another table is gone")
	}
}

func TestUnreadable(t *testing.T) {
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
		}, "another program's"},
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
		"row that is no JSON":   {row(`SECRET`), "not valid JSON"},
		"row of another type":   {row(`["SECRET"]`), "mend the row"},
		"row without a token":   {row(`{"resource_server":"rs","scope":"SECRET","expires_at_seconds":1}`), "access_token is missing"},
		"row of another server": {row(`{"resource_server":"other","scope":"s","access_token":"SECRET","expires_at_seconds":1}`), `its resource_server is "other"`},
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

func TestEmptyFileIsAnEmptyStore(t *testing.T) {
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
func TestBusyDatabase(t *testing.T) {
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
}

// A refresh takes long; a Python program must be able to write meanwhile.
func TestOthersMayWriteDuringAnUpdate(t *testing.T) {
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

// The journal of a killed process outlives a database that somebody removes. It
// must not be played into the next one.
func TestJournalWithoutItsDatabase(t *testing.T) {
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

func TestDeletedTokensAreOverwritten(t *testing.T) {
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

func TestOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with blank", "per%20cent", "question?mode=memory", "hash#x", "üñï", "a'b\"c;d&e=f"} {
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

func TestNewRefuses(t *testing.T) {
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

// BenchmarkLoad is the price of a stored token. The floor is the query alone, on a connection opened for it.
func BenchmarkLoad(b *testing.B) {
	store := open(b, sqlitestore.Config{})
	put(b, store, testKey(), one(b, "A"))
	file := path(b, store, testKey())
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			func() {
				db, err := sql.Open("sqlite", "file:"+file)
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = db.Close() }()
				var data string
				if err := db.QueryRowContext(b.Context(), `SELECT token_data_json FROM token_storage`).Scan(&data); err != nil {
					b.Fatal(err)
				}
			}()
		}
	})
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			if set, err := store.Load(b.Context(), testKey()); err != nil || len(set.All()) != 1 {
				b.Fatal(err)
			}
		}
	})
}

// Keep a login where a Python GlobusApp named "My App" keeps it in SQLite.
func Example() {
	dir, err := os.MkdirTemp("", "example") // without Dir, it is ~/.globus/app
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	store, err := sqlitestore.New(sqlitestore.Config{AppName: "My App", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"}
	_, err = store.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
		login, err := tokens.NewSet(tokens.Token{AccessToken: "secret", ResourceServer: "groups.api.globus.org"})
		return current.Merge(login), err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := store.Load(ctx, key)
	fmt.Println(set, err)
	// Output:
	// {token for "groups.api.globus.org"} <nil>
}
