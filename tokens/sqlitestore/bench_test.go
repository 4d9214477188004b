package sqlitestore_test

import (
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// BenchmarkLoad loads stored tokens, on the connection that the store keeps. The floor is the query alone on an open
// connection, and beside it on one that is opened for it.
func BenchmarkLoad(b *testing.B) {
	store := open(b, sqlitestore.Config{})
	put(b, store, testKey(), one(b, "A"))
	file := "file:" + path(b, store, testKey())
	query := func(db *sqlite3.Conn) {
		if data := column(b, db, `SELECT token_data_json FROM token_storage`); len(data) != 1 {
			b.Fatal(data)
		}
	}
	connect := func() *sqlite3.Conn {
		db, err := sqlite3.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		return db
	}
	kept := connect()
	defer func() { _ = kept.Close() }()
	bench.CPU(b, bench.Case{Name: "floor", Run: func() { query(kept) }}, bench.Case{Name: "sqlitestore", Limit: 6, Run: func() {
		if set, err := store.Load(b.Context(), testKey()); err != nil || len(set.All()) != 1 {
			b.Fatal(err)
		}
	}}, bench.Case{Name: "connection", Run: func() {
		db := connect()
		query(db)
		_ = db.Close()
	}})
}

// BenchmarkUpdate stores changed tokens. The floor is a transaction that reads and writes the row, as durable as the store's, on
// an open connection to a database of its own. Beside that, the store locks, tries a transaction that it rolls back, and writes
// the change down before it makes it. It is wall time: the disk takes most of it.
func BenchmarkUpdate(b *testing.B) {
	store, other := open(b, sqlitestore.Config{}), open(b, sqlitestore.Config{})
	sets := []tokens.Set{one(b, "A"), one(b, "B")}
	put(b, store, testKey(), sets[0])
	put(b, other, testKey(), sets[0])
	db, err := sqlite3.Open("file:" + path(b, other, testKey()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	check(db.Exec(`PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON`))
	n := 0
	bench.Wall(b, bench.Case{Name: "floor", Run: func() {
		check(db.Exec(`BEGIN IMMEDIATE; SELECT token_data_json FROM token_storage;
			UPDATE token_storage SET token_data_json = json_set(token_data_json, '$.n', hex(randomblob(8))); COMMIT`))
	}}, bench.Case{Name: "sqlitestore", Limit: 2, Run: func() {
		n++
		_, err := store.Update(b.Context(), testKey(), func(tokens.Set) (tokens.Set, error) { return sets[n%2], nil })
		check(err)
	}})
}
