package identitymap_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func TestMapGet_CachesUnderBothKeys(t *testing.T) {
	t.Parallel()
	alice := person(1, "Alice@Example.edu")
	keys := []string{alice.ID, strings.ToUpper(alice.ID), "alice@example.edu", "ALICE@EXAMPLE.EDU", "Alice@Example.edu"}
	for _, first := range keys {
		s := newService(alice)
		m := s.newMap(t, identitymap.Config{})
		for _, key := range append([]string{first}, keys...) {
			who, err := m.Get(t.Context(), key)
			if err != nil || who != alice {
				t.Errorf("after %q: Get(%q) = %+v, %v", first, key, who, err)
			}
		}
		if n := len(s.log()); n != 1 {
			t.Errorf("after %q: %d requests, want 1", first, n)
		}
	}
}

func TestMapGetMany_MixedKeys(t *testing.T) {
	t.Parallel()
	people := crowd(3)
	s := newService(people...)
	m := s.newMap(t, identitymap.Config{})
	keys := []string{name(0), people[1].ID, "nobody@example.edu", id(77), "User2@Example.edu", name(0), "nonsense"}
	given := slices.Clone(keys)
	results, err := m.GetMany(t.Context(), keys)
	if err != nil {
		t.Error(err)
	}
	if !slices.Equal(keys, given) {
		t.Errorf("the keys were changed: %q", keys)
	}
	got := map[string]string{}
	for key, r := range results {
		got[key] = r.Identity.ID
		if (r.Err == nil) != (r.Identity.ID != "") || r.Err != nil && !errors.Is(r.Err, identitymap.ErrNoIdentity) {
			t.Errorf("%q: %+v", key, r)
		}
	}
	want := map[string]string{name(0): id(0), id(1): id(1), "User2@Example.edu": id(2), "nobody@example.edu": "", id(77): "", "nonsense": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(s.log()); n != 2 {
		t.Errorf("%d requests, want one for each kind", n)
	}
	if results, err = m.GetMany(t.Context(), nil); len(results) != 0 || err != nil {
		t.Errorf("no keys: %v, %v", results, err)
	}
}

// TestMapGet_CachedDoesNotAllocate measures what the benchmarks promise.
func TestMapGet_CachedDoesNotAllocate(t *testing.T) { //nolint:paralleltest // counts allocations of the process
	s := newService(crowd(10)...)
	m := s.newMap(t, identitymap.Config{})
	if _, err := m.GetMany(t.Context(), names(10)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{name(3), id(3)} {
		allocations := testing.AllocsPerRun(1000, func() {
			if _, err := m.Get(t.Context(), key); err != nil {
				t.Error(err)
			}
		})
		if allocations != 0 {
			t.Errorf("%q: %v allocations", key, allocations)
		}
	}
}

func TestMap_PutAddDelete(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newService(crowd(300)...)
	m := s.newMap(t, identitymap.Config{})

	if !m.Add(name(0)) || !m.Add(id(1)) || m.Add(name(0)) || m.Add("User0@example.EDU") {
		t.Error("Add does not tell new keys from known ones")
	}
	if got, want := m.Added(), []string{name(0), id(1)}; !slices.Equal(got, want) {
		t.Errorf("pending %q, want %q", got, want)
	}
	for n := 2; n < 150; n++ {
		m.Add(name(n))
	}
	// The key that is asked for, and 99 of the noted ones.
	if _, err := m.Get(ctx, name(200)); err != nil {
		t.Error(err)
	}
	if log := s.log(); len(log) != 1 || len(log[0].keys) != 100 {
		t.Fatalf("requests %+v", log)
	}
	if got := len(m.Added()); got != 51 {
		t.Errorf("%d pending, want 51", got)
	}
	travelled := s.log()[0].keys[1]
	if m.Add(travelled) || !m.Add(name(250)) {
		t.Error("Add notes what the cache knows")
	}
	if _, err := m.Get(ctx, travelled); err != nil || len(s.log()) != 1 {
		t.Errorf("a key that travelled along is not known: %v, %d requests", err, len(s.log()))
	}
	if _, err := m.GetMany(ctx, m.Added()); err != nil || len(s.log()) != 3 {
		t.Errorf("the rest: %v, %d requests", err, len(s.log()))
	}
	if got := m.Added(); len(got) != 0 {
		t.Errorf("still pending: %q", got)
	}

	m.Delete("USER3@example.edu")
	if _, err := m.Get(ctx, id(3)); err != nil || len(s.log()) != 3 {
		t.Errorf("Delete took the other key too: %v, %d requests", err, len(s.log()))
	}
	if _, err := m.Get(ctx, name(3)); err != nil || len(s.log()) != 4 {
		t.Errorf("Delete did nothing: %v, %d requests", err, len(s.log()))
	}
	if !m.Add(name(299)) {
		t.Error("not added")
	}
	m.Delete(name(299))
	m.Delete(name(299))
	if got := m.Added(); len(got) != 0 {
		t.Errorf("Delete left %q pending", got)
	}
	if !m.Add(name(299)) || len(m.Added()) != 1 {
		t.Errorf("added again: %q", m.Added())
	}

	carol := gen.Identity{ID: strings.ToUpper(id(12_345)), Username: "Carol@Example.edu", Name: "Carol"}
	m.Add("carol@example.edu")
	if err := m.Put(carol); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{id(12_345), "carol@EXAMPLE.edu"} {
		if who, err := m.Get(ctx, key); err != nil || who != carol {
			t.Errorf("Get(%q) = %+v, %v", key, who, err)
		}
	}
	if slices.Contains(m.Added(), "carol@example.edu") || len(s.log()) != 4 {
		t.Errorf("pending %q, %d requests", m.Added(), len(s.log()))
	}
	for _, bad := range []gen.Identity{{}, {Username: name(1)}, {ID: "x"}, {ID: id(1), Username: "alice"}, {ID: id(1), Username: id(2)}} {
		if err := m.Put(bad); err == nil || !strings.Contains(err.Error(), "cannot be stored") {
			t.Errorf("Put(%+v): %v", bad, err)
		}
	}
}

// TestMapAdd_KeyBeingLookedUp also when it waits for its turn.
func TestMapAdd_KeyBeingLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(crowd(3)...)
		s.latency = time.Second
		m := s.newMap(t, identitymap.Config{Concurrency: 1})
		var wg sync.WaitGroup
		for n := range 2 {
			wg.Go(func() { _, _ = m.Get(t.Context(), name(n)) })
			synctest.Wait()
		}
		for n, want := range []bool{false, false, true} {
			if got := m.Add(strings.ToUpper(name(n))); got != want {
				t.Errorf("Add(%d) = %v, want %v", n, got, want)
			}
		}
		if got := m.Added(); !slices.Equal(got, []string{name(2)}) {
			t.Errorf("pending %q", got)
		}
		wg.Wait()
	})
}

// A record whose ID is a username is not cached under it.
func TestMapGet_RecordWithInvalidID(t *testing.T) {
	t.Parallel()
	s := newService(gen.Identity{ID: "bob@example.edu", Username: "alice@example.edu"})
	m := s.newMap(t, identitymap.Config{})
	for range 2 {
		if who, err := m.Get(t.Context(), "alice@example.edu"); err != nil || who.ID != "bob@example.edu" {
			t.Errorf("%+v, %v", who, err)
		}
	}
	if who, err := m.Get(t.Context(), "bob@example.edu"); !errors.Is(err, identitymap.ErrNoIdentity) || len(s.log()) != 2 {
		t.Errorf("%+v, %v, %d requests", who, err, len(s.log()))
	}
}

// Which refusals a smaller request may escape.
func TestMapGetMany_WhichRefusalsAreSplit(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{
		http.StatusBadRequest:            1 + 2 + 4,
		http.StatusForbidden:             1,
		http.StatusRequestEntityTooLarge: 1,
		http.StatusInternalServerError:   1,
	} {
		s := newService(crowd(100)...)
		s.fault = func(_ context.Context, _ int, r request) *http.Response {
			if len(r.keys) > 25 {
				return refuse(status, "REFUSED")
			}
			return nil
		}
		results, err := s.newMap(t, identitymap.Config{}).GetMany(t.Context(), names(100))
		if (err == nil) != (want > 1) || len(s.log()) != want {
			t.Errorf("%d: %v, %d requests, want %d", status, err, len(s.log()), want)
		}
		for key, r := range results {
			if err == nil && r.Identity.Username != key {
				t.Errorf("%d: %q: %+v", status, key, r)
			}
		}
	}
}
