package tokens_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
)

// BenchmarkValidToken gets a valid token with 64 goroutines. The floor reads the clock and an atomic pointer; the peer is
// ReuseTokenSource of x/oauth2, which takes a lock.
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

	const often = 1000
	get := func(step func() bool) func() {
		return func() {
			for range often {
				if !step() {
					b.Error("no token")
				}
			}
		}
	}
	bench.Parallel(b, 64,
		bench.Case{Name: "floor", Ops: often, Run: get(func() bool {
			held := *floor.Load()
			return time.Now().Before(held.Expiry)
		})},
		bench.Case{Name: "tokens.Refreshing", Ops: often, Limit: 2, Run: get(func() bool {
			held, err := source.Token(ctx)
			return err == nil && held.AccessToken == "A"
		})},
		bench.Case{Name: "x/oauth2", Ops: often, Run: get(func() bool {
			held, err := peer.Token()
			return err == nil && held.AccessToken == "A"
		})},
	)
	bench.Max(b, "tokens.Refreshing-ns", 100)
	bench.Max(b, "tokens.Refreshing-allocs", 0)
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
