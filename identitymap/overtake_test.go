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

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

// A key that becomes known while it is queued needs no request, and what became
// known last counts.
func TestMap_QueuedKeyBecomesKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(4)...)
		s.latency = time.Second
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		var wg sync.WaitGroup
		ask := func(key, want string) {
			wg.Go(func() {
				if who, err := m.Get(t.Context(), key); err != nil || who.Name != want {
					t.Errorf("%q: %+v, %v", key, who, err)
				}
			})
			synctest.Wait()
		}
		ask(name(1), "Person 1")
		ask(id(1), "Person 1") // comes with the response in flight
		ask(name(3), "put")
		m.Add(id(2))
		who, known := person(3, name(3)), person(2, name(2))
		who.Name = "put"
		for _, p := range []gen.Identity{who, known} {
			if err := m.Put(p); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		ask(name(3), "put")
		wg.Wait()
		if len(s.log()) != 1 || len(m.Added()) != 0 {
			t.Errorf("requests %+v, pending %q", s.log(), m.Added())
		}
		if n := len(s.log()); n != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// A slow response without the key does not undo a newer record.
func TestMapGet_LateMissKeepsNewerRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 1 {
				time.Sleep(10 * time.Second) // virtual
				return nil
			}
			return respond(http.StatusOK, gen.IdentityList{Identities: []gen.Identity{person(1, name(1))}})
		}
		m := s.newMap(t, identitymap.Config{})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Get(t.Context(), name(1)) })
		synctest.Wait()
		if _, err := m.Get(t.Context(), id(1)); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if _, err := m.Get(t.Context(), name(1)); err != nil {
			t.Errorf("after the late response: %v", err)
		}
	})
}

// A username keeps the identity that it found, although an earlier holder is looked
// up by ID.
func TestMapGet_TwoRecordsOfOneUsername(t *testing.T) {
	t.Parallel()
	s := newService()
	first, second := person(1, name(1)), person(9, name(1))
	s.fault = func(_ context.Context, _ int, r request) *http.Response {
		list := gen.IdentityList{Identities: []gen.Identity{}}
		for _, p := range []gen.Identity{first, second} {
			if r.kind == "usernames" || slices.Contains(r.keys, p.ID) {
				list.Identities = append(list.Identities, p)
			}
		}
		return respond(http.StatusOK, list)
	}
	m := s.newMap(t, identitymap.Config{})
	for _, key := range []string{name(1), id(9), name(1), id(9)} {
		want := id(1)
		if key == id(9) {
			want = id(9)
		}
		if who, err := m.Get(t.Context(), key); err != nil || who.ID != want {
			t.Errorf("%q is %q, %v", key, who.ID, err)
		}
	}
	if len(s.log()) != 2 {
		t.Errorf("%d requests", len(s.log()))
	}
}

// A key that is deleted while its request is refused is asked for once for all.
func TestMapDelete_DuringRefusedRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(2)...)
		s.latency = time.Second
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number <= 2 {
				return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "5")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if who, err := m.Get(t.Context(), name(1)); err != nil || who.ID != id(1) {
					t.Errorf("%+v, %v", who, err)
				}
			})
			synctest.Wait()
			m.Delete(name(1))
		}
		wg.Wait()
		for _, r := range s.log() {
			if len(r.keys) != 1 {
				t.Errorf("asked for %q", r.keys)
			}
		}
		if left := m.Leftovers(); left != "" {
			t.Errorf("%s are left", left)
		}
	})
}

// A key that is deleted and added while its request is refused is not asked for
// as both.
func TestMapAdd_DuringRefusedRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(2)...)
		s.latency = time.Second
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 1 {
				return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "1")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Get(t.Context(), name(0)) })
		synctest.Wait()
		m.Delete(name(0))
		if !m.Add(name(0)) {
			t.Error("what is on its way will not be remembered, so that it can be added")
		}
		wg.Wait()
		if log := s.log(); len(log) != 2 || len(log[1].keys) != 1 || len(m.Added()) != 0 {
			t.Errorf("%+v, pending %q", log, m.Added())
		}
	})
}

// The same when another request has taken the addition along, is refused itself,
// and left by its caller: the caller of the first gets the result of the second.
func TestMapAdd_SentDuringRefusedRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(2)...)
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			time.Sleep(time.Duration(1+number) * time.Second) // virtual
			if number <= 2 {
				return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "1")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if who, err := m.Get(t.Context(), name(0)); err != nil || who.ID != id(0) {
				t.Errorf("%+v, %v", who, err)
			}
		})
		synctest.Wait()
		m.Delete(name(0))
		m.Add(name(0))
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			if _, err := m.Get(ctx, name(1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
		wg.Wait()
		if left := m.Leftovers(); left != "" {
			t.Errorf("%s are left", left)
		}
	})
}

// What was refused for now goes before what came later.
func TestMapGet_RefusedKeysGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.latency = time.Second
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 1 {
				return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "1")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{Concurrency: 1, BatchSize: 1})
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() { _, _ = m.Get(t.Context(), name(n)) })
			synctest.Wait()
		}
		wg.Wait()
		var order []string
		for _, r := range s.log() {
			order = append(order, r.keys...)
		}
		if want := []string{name(0), name(0), name(1), name(2)}; !slices.Equal(order, want) {
			t.Errorf("asked for %q, want %q", order, want)
		}
	})
}

// An added key that a caller joins while its request is in flight is also that caller's, also
// when the request is refused for now and its first owner has left.
func TestMapGet_JoinsAddedKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.latency = 2 * time.Second
		s.fault = func(_ context.Context, number int, _ request) *http.Response {
			if number == 1 {
				return refuse(http.StatusTooManyRequests, "BUSY", "Retry-After", "1")
			}
			return nil
		}
		m := s.newMap(t, identitymap.Config{})
		m.Add(name(1))
		m.Add(name(2))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Get(ctx, name(0)) }) // takes the others along, and leaves
		synctest.Wait()
		if m.Add(name(1)) {
			t.Error("a key on its way was added")
		}
		if who, err := m.Get(t.Context(), name(1)); err != nil || who.ID != id(1) {
			t.Errorf("%+v, %v", who, err)
		}
		wg.Wait()
		// No caller waited for it: it was added again, and sent again.
		if who, err := m.Get(t.Context(), name(2)); err != nil || who.ID != id(2) || s.asked[name(2)] != 2 {
			t.Errorf("%+v, %v, asked %v", who, err, s.asked)
		}
	})
}

// What is put and deleted while a request hangs is not remembered forever.
func TestMap_ManyChangesDuringRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.fault = held
		m := s.newMap(t, identitymap.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Get(ctx, name(0)) })
		synctest.Wait()
		for range 1000 {
			for n := range 3 {
				m.Delete(name(n))
				m.Add(name(n))
			}
		}
		if got := m.Added(); len(got) != 3 {
			t.Errorf("pending %q", got)
		}
		cancel()
		wg.Wait()
		synctest.Wait()
		if left := m.Leftovers(); left != "" {
			t.Errorf("%s are left", left)
		}

		// Of more changes than a request notes, any may be about its keys: nothing is cached.
		s.fault = func(context.Context, int, request) *http.Response {
			time.Sleep(time.Second) // virtual
			return nil
		}
		s.people[name(10)] = person(10, name(10))
		wg.Go(func() { _, _ = m.Get(t.Context(), name(10)) })
		synctest.Wait()
		for n := range 2000 { // more than a request notes
			m.Delete(name(20 + n))
		}
		wg.Wait()
		if _, err := m.Get(t.Context(), name(10)); err != nil || s.asked[name(10)] != 2 {
			t.Errorf("%v, asked %d times", err, s.asked[name(10)])
		}
	})
}
