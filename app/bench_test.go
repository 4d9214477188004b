package app_test

import (
	"testing"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// BenchmarkToken gets a valid token out of memory: from an app, and from the tokens.Refreshing below it, compared with
// ReuseTokenSource of x/oauth2, which checks neither scopes nor store.
func BenchmarkToken(b *testing.B) {
	w := newWorld(b, authtest.Config{})
	user := w.user(b, func(c *app.Config) { c.Client = realClock(b, w) })
	source := user.Source(scopes.TransferResourceServer)
	first, ctx := token(b, source), b.Context()
	refreshing, err := tokens.NewRefreshing(tokens.RefreshingConfig{
		Store: w.store, Key: w.key(), ResourceServer: scopes.TransferResourceServer,
		Refresh: noRefresh,
	})
	if err != nil {
		b.Fatal(err)
	}
	reuse := oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: first.AccessToken, Expiry: first.Expiry}, nil)
	const often = 1000
	get := func(token func() error) func() {
		return func() {
			for range often {
				if err := token(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	bench.CPU(b,
		bench.Case{Name: "x/oauth2", Ops: often, Run: get(func() error { _, err := reuse.Token(); return err })},
		bench.Case{Name: "app", Ops: often, Run: get(func() error { _, err := source.Token(ctx); return err }), Limit: 1.5},
		bench.Case{Name: "tokens.Refreshing", Ops: often, Run: get(func() error { _, err := refreshing.Token(ctx); return err })},
	)
	bench.Max(b, "app-cpu-ns", 150)
	bench.Max(b, "app-allocs", 0)
}

// A token out of memory allocates nothing.
func TestAppSource_DoesNotAllocate(t *testing.T) { //nolint:paralleltest // it counts allocations
	w := newWorld(t, authtest.Config{})
	source := w.user(t, nil).Source(scopes.TransferResourceServer)
	token(t, source)
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := source.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
