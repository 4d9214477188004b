package sqlitestore_test

import (
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// BenchmarkLoad is the price of a stored token. The floor is the query alone, on a connection opened for it.
func BenchmarkLoad(b *testing.B) {
	store := open(b, sqlitestore.Config{})
	put(b, store, testKey(), one(b, "A"))
	file := path(b, store, testKey())
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			db, err := sqlite3.Open("file:" + file)
			if err != nil {
				b.Fatal(err)
			}
			if data := column(b, db, `SELECT token_data_json FROM token_storage`); len(data) != 1 {
				b.Fatal(data)
			}
			_ = db.Close()
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
