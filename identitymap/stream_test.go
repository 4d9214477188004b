package identitymap_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func TestMapAll_MixedKeys(t *testing.T) {
	t.Parallel()
	s := newService(crowd(2000)...)
	m := s.newMap(t, identitymap.Config{})
	if _, err := m.GetMany(t.Context(), names(100)); err != nil {
		t.Fatal(err)
	}
	keys := func(yield func(string) bool) {
		for n := range 2000 {
			_ = yield(name(n)) && yield("nonsense") && (n%400 != 0 || yield(name(n)) && yield("nobody@example.edu"))
		}
	}
	got := map[string]int{}
	for key, r := range m.All(t.Context(), keys) {
		got[key]++
		switch key {
		case "nonsense", "nobody@example.edu":
			if !errors.Is(r.Err, identitymap.ErrNoIdentity) {
				t.Errorf("%q: %+v", key, r)
			}
		default:
			if r.Err != nil || r.Identity.Username != key {
				t.Errorf("%q: %+v", key, r)
			}
		}
	}
	for n := range 2000 {
		want := 1
		if n%400 == 0 {
			want = 2
		}
		if got[name(n)] != want {
			t.Errorf("%q was yielded %d times, want %d", name(n), got[name(n)], want)
		}
	}
	if got["nonsense"] != 2000 || got["nobody@example.edu"] != 5 || len(got) != 2002 {
		t.Errorf("%d results for nonsense, %d for an unknown user, %d keys", got["nonsense"], got["nobody@example.edu"], len(got))
	}
	checkRequests(t, s, 100)
	for key, n := range s.asked {
		if n != 1 {
			t.Errorf("%q was asked for %d times", key, n)
		}
	}
}

// A stream of more people than the cache holds caches the first of them, and others again after a TTL.
func TestMapAll_MoreThanTheCacheHolds(t *testing.T) {
	t.Parallel()
	const people, cached = 1000, 10
	s := newService(crowd(people)...)
	now := time.Now()
	m := s.newMap(t, identitymap.Config{CacheSize: cached, Concurrency: 1, Now: func() time.Time { return now }})
	stream := func(from, to int) {
		t.Helper()
		for key, r := range m.All(t.Context(), slices.Values(names(to)[from:])) {
			if r.Err != nil {
				t.Fatalf("%q: %v", key, r.Err)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	known := func(from, to int) (count int) {
		for _, name := range names(to)[from:] {
			if _, err := m.Get(ended, name); err == nil {
				count++
			}
		}
		return count
	}
	stream(0, people)
	if got := known(0, people); got != cached {
		t.Errorf("%d people are cached, want %d", got, cached)
	}
	now = now.Add(time.Hour)
	stream(people-cached, people)
	if got := known(people-cached, people); got == 0 {
		t.Error("a stream after a TTL caches nothing")
	}
	if who, err := m.Get(t.Context(), name(500)); err != nil || who.ID != id(500) {
		t.Errorf("%+v, %v", who, err)
	}
	if got := known(500, 501); got != 1 {
		t.Error("what Get asked for is not cached")
	}
}

// What Get joins is cached, although the stream asks for more than the cache holds.
func TestMapAll_GetJoinsMoreThanTheCacheHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(1)...)
		m := s.newMap(t, identitymap.Config{CacheSize: 10})
		get := func() {
			if _, err := m.Get(t.Context(), name(0)); err != nil {
				t.Error(err)
			}
		}
		keys := func(yield func(string) bool) {
			for n := range 10 { // none of them exists, so that half of the cache is left
				if !yield(name(100 + n)) {
					return
				}
			}
			if yield(name(0)) {
				get()
			}
		}
		for range m.All(t.Context(), keys) {
			continue
		}
		get()
		if len(s.log()) != 1 {
			t.Errorf("%d requests, want 1", len(s.log()))
		}
	})
}

// TestMapAll_YieldsAsResponsesCome reads keys that come one a second.
func TestMapAll_YieldsAsResponsesCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(100)...)
		s.latency = 1500 * time.Millisecond
		m := s.newMap(t, identitymap.Config{BatchSize: 10})
		slow := func(yield func(string) bool) {
			for n := range 100 {
				time.Sleep(time.Second) // virtual
				if !yield(name(n)) {
					return
				}
			}
		}
		start, n := time.Now(), 0
		for range m.All(t.Context(), slow) {
			// Key n is read at n+1 s, its request is full at the next ten,
			// takes 1.5 s, and is noticed when the next key comes.
			if got, latest := time.Since(start), time.Duration(n/10*10+10+2)*time.Second; got > latest {
				t.Errorf("result %d came after %v, want %v", n, got, latest)
			}
			n++
		}
		if n != 100 || len(s.log()) != 10 {
			t.Errorf("%d results in %d requests", n, len(s.log()))
		}
	})
}

// TestMapAll_ReadsAheadWithinBounds has a service that does not respond.
func TestMapAll_ReadsAheadWithinBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.latency = time.Hour
		m := s.newMap(t, identitymap.Config{Concurrency: 4, BatchSize: 10})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		read := 0
		endless := func(yield func(string) bool) {
			for ; yield(name(read)); read++ {
			}
		}
		yielded := 0
		for _, r := range m.All(ctx, endless) {
			if !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("%+v", r)
			}
			yielded++
		}
		if read++; read > 2*4*10+10 || yielded != read {
			t.Errorf("%d keys were read and %d yielded", read, yielded)
		}
		if n := s.underWay(); n != 0 {
			t.Errorf("%d requests outlive the loop", n)
		}
	})
}

func TestMapAll_LeavingTheLoopCancels(t *testing.T) { //nolint:paralleltest // looks at all goroutines
	stop := errors.New("stop")
	for how, leave := range map[string]func() bool{
		"break": func() bool { return false },
		"panic": func() bool { panic(stop) },
	} {
		before := goleak.IgnoreCurrent()
		s := newService(crowd(100)...)
		second := make(chan struct{})
		arrived := sync.OnceFunc(func() { close(second) })
		s.fault = func(ctx context.Context, _ int, r request) *http.Response {
			if r.keys[0] != name(0) {
				arrived()
				<-ctx.Done()
			} else { // no response, and so no end of the loop, before other requests are sent
				<-second
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		func() {
			defer func() {
				if r := recover(); r != nil && r != stop { //nolint:errorlint // the very value
					panic(r)
				}
			}()
			for range m.All(t.Context(), slices.Values(names(5000))) {
				if !leave() {
					break
				}
			}
		}()
		if n := s.underWay(); n != 0 {
			t.Errorf("%s: %d requests outlive the loop", how, n)
		}
		if err := goleak.Find(before); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if n := len(s.log()); n < 2 || n > 17 {
			t.Errorf("%s: %d requests", how, n)
		}
		// What was cancelled can be asked for again.
		s.fault = nil
		if _, err := m.GetMany(t.Context(), names(100)); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// A request for which another caller waits continues.
func TestMapAll_LeavingTheLoopKeepsSharedRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(300)...)
		s.latency = time.Minute
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		got := make(chan gen.Identity, 2)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		keys := func(yield func(string) bool) {
			for n := range 200 {
				if !yield(name(n)) {
					return
				}
			}
			synctest.Wait() // the first hundred are on their way, the second queued
			for _, n := range []int{7, 107} {
				go func() {
					who, err := m.Get(t.Context(), name(n))
					if err != nil {
						t.Error(err)
					}
					got <- who
				}()
			}
			synctest.Wait()
			cancel()
		}
		start := time.Now()
		for key, r := range m.All(ctx, keys) {
			if !errors.Is(r.Err, context.Canceled) {
				t.Errorf("%q: %+v", key, r)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("leaving took %v", took)
		}
		if a, b := <-got, <-got; a.ID != id(7) || b.ID != id(107) {
			t.Errorf("%+v, %+v", a, b)
		}
		if log := s.log(); len(log) != 2 || len(log[0].keys) != 100 || len(log[1].keys) != 1 {
			t.Errorf("requests %+v", log)
		}
	})
}

// TestMapAll_GetWithinTheLoop looks up further keys from inside a loop, with room for
// one request.
func TestMapAll_GetWithinTheLoop(t *testing.T) {
	t.Parallel()
	s := newService(crowd(200)...)
	m := s.newMap(t, identitymap.Config{Concurrency: 1, BatchSize: 10})
	n := 0
	for key, r := range m.All(t.Context(), slices.Values(names(100))) {
		if r.Err != nil {
			t.Errorf("%q: %v", key, r.Err)
		}
		if who, err := m.Get(t.Context(), id(100+n)); err != nil || who.Username != name(100+n) {
			t.Errorf("%+v, %v", who, err)
		}
		n++
	}
	if n != 100 {
		t.Errorf("%d results", n)
	}
}

// TestMapAll_RepeatedKeys streams a log in which every user occurs 100 times in a row.
func TestMapAll_RepeatedKeys(t *testing.T) {
	t.Parallel()
	s := newService(crowd(200)...)
	s.latency = time.Millisecond
	m := s.newMap(t, identitymap.Config{})
	n := 0
	for key, r := range m.All(t.Context(), func(yield func(string) bool) {
		for i := range 200 * 100 {
			if !yield(name(i / 100)) {
				return
			}
		}
	}) {
		if r.Err != nil || r.Identity.Username != key {
			t.Errorf("%q: %+v", key, r)
		}
		n++
	}
	if n != 200*100 {
		t.Errorf("%d results", n)
	}
	if n := len(s.log()); n > 20 || len(s.asked) != 200 {
		t.Errorf("%d requests for %d keys, want at most 20 for 200", n, len(s.asked))
	}
	for key, n := range s.asked {
		if n != 1 {
			t.Errorf("%q was asked for %d times", key, n)
		}
	}
}

func TestMapAll_SequenceUsedTwice(t *testing.T) {
	t.Parallel()
	s := newService(crowd(10)...)
	m := s.newMap(t, identitymap.Config{})
	all := m.All(t.Context(), slices.Values(names(10)))
	for range 2 {
		if n := count(all); n != 10 {
			t.Errorf("%d results", n)
		}
	}
	if len(s.log()) != 1 {
		t.Errorf("%d requests", len(s.log()))
	}
	next, stop := iter.Pull2(all)
	if key, r, ok := next(); !ok || r.Err != nil || r.Identity.Username != key {
		t.Errorf("%q, %+v, %v", key, r, ok)
	}
	stop()
}

func count(all iter.Seq2[string, identitymap.Result]) int {
	n := 0
	for range all {
		n++
	}
	return n
}

// Requests fail; the other keys have results.
func TestMapAll_FailedRequests(t *testing.T) {
	t.Parallel()
	s := newService(crowd(3000)...)
	s.fault = func(_ context.Context, number int, _ request) *http.Response {
		if number%3 == 0 {
			return refuse(http.StatusServiceUnavailable, "LATER")
		}
		return nil
	}
	m := s.newMap(t, identitymap.Config{})
	good, bad := 0, 0
	for key, r := range m.All(t.Context(), slices.Values(names(3000))) {
		switch {
		case r.Err == nil && r.Identity.Username == key:
			good++
		case errors.Is(r.Err, apierror.ErrServer):
			bad++
		default:
			t.Errorf("%q: %+v", key, r)
		}
	}
	if good != 2000 || bad != 1000 {
		t.Errorf("%d results and %d errors, want 2000 and 1000", good, bad)
	}
}
