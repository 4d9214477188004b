//go:build interop

package pgstore_test

import (
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/pgstore"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func newStore(tb testing.TB) *pgstore.Store {
	tb.Helper()
	pool, config := shared.tables(tb)
	store, err := pgstore.New(pool, config)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) tokens.Store {
		t.Helper()
		return newStore(t)
	})
}

func TestStore_Shared(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		pool, config := shared.tables(t)
		a, err := pgstore.New(pool, config)
		if err != nil {
			t.Fatal(err)
		}
		b, err = pgstore.New(shared.pool(t, "postgres"), config)
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	})
}
