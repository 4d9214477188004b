package app_test

import (
	"testing"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// BenchmarkToken gets a good token out of memory: from the app, from the
// tokens.Refreshing below it, and, as a peer, from x/oauth2's ReuseTokenSource,
// which checks neither scopes nor store.
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
	b.Run("app", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := source.Token(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("refreshing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := refreshing.Token(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("x/oauth2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := reuse.Token(); err != nil {
				b.Fatal(err)
			}
		}
	})
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
