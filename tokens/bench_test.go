package tokens_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/tokens"
)

// BenchmarkValidToken is the price of a token that is still good, under 64
// goroutines. The floor reads the clock and an atomic pointer; the peer is
// oauth2.ReuseTokenSource, which takes a lock.
func BenchmarkValidToken(b *testing.B) {
	store := tokens.NewMemory()
	end := time.Now().Add(48 * time.Hour)
	token := tokens.Token{AccessToken: "A", RefreshToken: "R", ResourceServer: transfer, Expiry: end, Lifetime: 48 * time.Hour}
	set := mustSet(b, token)
	if _, err := store.Update(b.Context(), testKey(), func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		b.Fatal(err)
	}
	source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
		Store: store, Key: testKey(), ResourceServer: transfer,
		Refresh: func(context.Context, tokens.Token) (tokens.Set, error) { panic("not due") },
	})
	if err != nil {
		b.Fatal(err)
	}
	var floor atomic.Pointer[tokens.Token]
	floor.Store(&token)
	peer := oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: "A", Expiry: end}, nil)
	ctx := b.Context()

	parallel := func(b *testing.B, step func() bool) {
		b.Helper()
		b.ReportAllocs()
		b.SetParallelism(32) // times GOMAXPROCS
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if !step() {
					b.Error("no token")
				}
			}
		})
	}
	b.Run("floor", func(b *testing.B) {
		parallel(b, func() bool {
			held := *floor.Load()
			return time.Now().Before(held.Expiry)
		})
	})
	b.Run("Refreshing", func(b *testing.B) {
		parallel(b, func() bool {
			held, err := source.Token(ctx)
			return err == nil && held.AccessToken == "A"
		})
	})
	b.Run("x-oauth2", func(b *testing.B) {
		parallel(b, func() bool {
			held, err := peer.Token()
			return err == nil && held.AccessToken == "A"
		})
	})
}

func TestRefreshingToken_DoesNotAllocate(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	_, _, source := loggedIn(t, nil)
	ctx := t.Context()
	want(t, source, "A0")
	if allocs := testing.AllocsPerRun(100, func() {
		if _, err := source.Token(ctx); err != nil {
			t.Error(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
