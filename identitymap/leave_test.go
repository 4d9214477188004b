package identitymap_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/identitymap"
)

// held is a service that returns nothing until the request is given up.
func held(ctx context.Context, _ int, _ request) *http.Response {
	<-ctx.Done()
	return nil
}

// A context that has ended asks for nothing.
func TestMap_EndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		m := s.newMap(t, identitymap.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m.Add(name(2))
		for range 100 {
			if _, err := m.Get(ctx, name(1)); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if _, err := m.GetMany(ctx, names(3)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		if len(s.log()) != 0 || len(m.Added()) != 1 {
			t.Errorf("%d requests, added %q", len(s.log()), m.Added())
		}
	})
}

// Every key that was read has a result, whenever the context ends.
func TestMapAll_YieldsEveryKeyReadWhenContextEnds(t *testing.T) {
	t.Parallel()
	for after := 100 * time.Millisecond; after < 4*time.Second; after += 300 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			s := newService(crowd(10)...)
			s.latency = time.Second
			m := s.newMap(t, identitymap.Config{BatchSize: 2, Concurrency: 1})
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			var read, yielded []string
			for key, r := range m.All(ctx, func(yield func(string) bool) {
				for n := range 10 {
					time.Sleep(200 * time.Millisecond) // virtual
					read = append(read, name(n))
					if !yield(name(n)) {
						return
					}
				}
			}) {
				yielded = append(yielded, key)
				if r.Err != nil && !errors.Is(r.Err, context.DeadlineExceeded) {
					t.Error(r.Err)
				}
			}
			slices.Sort(yielded)
			if !slices.Equal(read, yielded) {
				t.Errorf("after %v: read %q, yielded %q", after, read, yielded)
			}
			if left := m.Leftovers(); left != "" {
				t.Errorf("after %v: %s are left", after, left)
			}
		})
	}
}

// What came before the context ended counts, and nothing is asked for afterwards.
func TestMapAll_ResultsFromBeforeContextEnds(t *testing.T) {
	t.Parallel()
	for range 20 { // which of the two is noticed first is a matter of chance
		synctest.Test(t, func(t *testing.T) {
			s := newService(crowd(10)...)
			s.latency = time.Second
			m := s.newMap(t, identitymap.Config{BatchSize: 2})
			ctx, cancel := context.WithCancel(t.Context())
			found := 0
			for _, r := range m.All(ctx, func(yield func(string) bool) {
				if yield(name(0)) && yield(name(1)) && yield(name(2)) {
					time.Sleep(2 * time.Second) // virtual
					cancel()
				}
			}) {
				if r.Err == nil {
					found++
				}
			}
			synctest.Wait()
			if n := len(s.log()); found != 2 || n != 1 {
				t.Errorf("%d found in %d requests", found, n)
			}
		})
	}
}

// Results that have come do not wait behind keys that need no request.
func TestMapAll_CachedKeysDoNotDelayResults(t *testing.T) {
	t.Parallel()
	for what, easy := range map[string]string{"known": name(100), "invalid": "nonsense"} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(crowd(200)...)
			m := s.newMap(t, identitymap.Config{BatchSize: 10})
			if _, err := m.Get(t.Context(), name(100)); err != nil {
				t.Error(err)
			}
			s.latency = time.Second
			start := time.Now()
			keys := func(yield func(string) bool) {
				for n := range 10 {
					if !yield(name(n)) {
						return
					}
				}
				for range 100 {
					time.Sleep(time.Second) // virtual
					if !yield(easy) {
						return
					}
				}
			}
			for key := range m.All(t.Context(), keys) {
				if took := time.Since(start); key == name(0) && took > 2*time.Second {
					t.Errorf("behind keys that are %s, a result of after 1 s was yielded after %v", what, took)
				}
			}
		})
	}
}

// One of two callers of a queued key may leave; the other gets its result.
func TestMapGet_OneOfTwoQueuedCallersLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.latency = 10 * time.Second
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Get(t.Context(), name(0)) })
		synctest.Wait()
		wg.Go(func() {
			if _, err := m.Get(t.Context(), name(1)); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := m.Get(ctx, name(1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		wg.Wait()
		if len(s.log()) != 2 {
			t.Errorf("%d requests", len(s.log()))
		}
	})
}

// A request carries the values of the context of its first caller.
func TestMapGet_RequestCarriesContextValues(t *testing.T) {
	t.Parallel()
	type traceKey struct{}
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		var traces []any
		s.fault = func(ctx context.Context, _ int, _ request) *http.Response {
			traces = append(traces, ctx.Value(traceKey{}))
			time.Sleep(time.Second) // virtual
			return nil
		}
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		var wg sync.WaitGroup
		for i, n := range []int{0, 1, 2} {
			wg.Go(func() { _, _ = m.Get(context.WithValue(t.Context(), traceKey{}, i), name(n)) })
			synctest.Wait()
		}
		wg.Wait()
		if !slices.Equal(traces, []any{0, 1}) {
			t.Errorf("traces %v", traces)
		}
	})
}

// The keys that wait longest are sent next, whichever kind of key they gave.
func TestMapGet_OldestKeyFirstWhateverItsKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(40)...)
		s.latency = time.Second
		m := s.newMap(t, identitymap.Config{Concurrency: 1, BatchSize: 1})
		var wg sync.WaitGroup
		for n := range 10 {
			key := name(n)
			if n == 5 {
				key = id(n)
			}
			wg.Go(func() { _, _ = m.Get(t.Context(), key) })
			synctest.Wait()
		}
		wg.Wait()
		for n, r := range s.log() {
			if (r.kind == "ids") != (n == 5) {
				t.Errorf("request %d is about %q", n, r.keys)
			}
		}
	})
}

// However many callers come and leave, little is left: a crowd whose
// contexts end at once, and a single key asked for and abandoned time and again.
func TestMap_ManyCallersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.fault = held
		m := s.newMap(t, identitymap.Config{Concurrency: 4})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for g := range 100 {
			wg.Go(func() {
				keys := names(200)
				for i := range keys {
					keys[i] = name(g/2*200 + i) // two want the same
				}
				if _, err := m.GetMany(ctx, keys); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		for range 1000 {
			short, done := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := m.Get(short, id(1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			done()
		}
		cancel()
		wg.Wait()
		synctest.Wait()
		if left := m.Leftovers(); left != "" {
			t.Errorf("%s are left", left)
		}
		// A few more requests go out while those that were in flight end.
		if n := len(s.log()); n > 40 || len(s.asked) > 4000 {
			t.Errorf("%d requests for %d keys: abandoned keys were asked for", n, len(s.asked))
		}
	})
}
