package sqlitestore_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

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
func pythons(tb testing.TB, file string, recorded database, rows [][3]string) *sqlite3.Conn {
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

func TestStorePath_AsPython(t *testing.T) {
	t.Parallel()
	store := open(t, sqlitestore.Config{AppName: "My App", Dir: "/home/u/.globus/app"})
	for environment, want := range readFixture(t).Paths {
		if got := path(t, store, tokens.Key{ClientID: clientID, Environment: environment}); got != filepath.FromSlash(want)+".db" {
			t.Errorf("%s: %s, want %s.db", environment, got, want)
		}
	}
}

func TestStoreUpdate_NewDatabaseAsPython(t *testing.T) {
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
	for name, mode := range map[string]fs.FileMode{filepath.Dir(file): 0o700, file: 0o600, file + ".lock": 0o600, file + ".pending": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %v", name, info, err, mode)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 3 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestStoreLoad_WrittenByPython(t *testing.T) {
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
func TestStoreUpdate_LegacySchema(t *testing.T) {
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
	want := `{"resource_server":"auth.globus.org","scope":"openid","access_token":"B","expires_at_seconds":1800000000,"refresh_token":null,"token_type":null}`
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

func TestStoreUpdate_UnknownFields(t *testing.T) {
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
		`{"resource_server":"rs","scope":"s","access_token":"A","refresh_token":"SECRET-REFRESH","expires_at_seconds":1700000000,"future_field":[2.50]}`,
		`{"resource_server":"same","scope":"s","access_token":"same", "expires_at_seconds":1}`,
	}
	if got := column(t, db, `SELECT token_data_json FROM token_storage ORDER BY resource_server`); !slices.Equal(got, want) {
		t.Errorf("rows %q\nwant %q", got, want)
	}
	if got := column(t, db, `SELECT name FROM sqlite_master WHERE name = 'theirs'`); len(got) != 1 {
		t.Error("another table is gone")
	}
}
