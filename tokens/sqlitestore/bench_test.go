package sqlitestore_test

import (
	"database/sql"
	"testing"

	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

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
