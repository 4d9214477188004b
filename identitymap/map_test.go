package identitymap_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func TestNew(t *testing.T) {
	t.Parallel()
	client := newService().client(t)
	first, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	for reason, config := range map[string]identitymap.Config{
		"Config.Client is nil":            {},
		"Config.BatchSize is negative":    {Client: client, BatchSize: -1},
		"Config.Concurrency is negative":  {Client: client, Concurrency: -1},
		"Config.CacheSize is negative":    {Client: client, CacheSize: -1},
		"Config.TTL is negative":          {Client: client, TTL: -1},
		"Config.MissTTL is negative":      {Client: client, MissTTL: -1},
		"Config.Share brings its own":     {Client: client, Share: first, TTL: time.Hour},
		"Config.Share brings its own Cac": {Client: client, Share: first, Now: time.Now},
	} {
		if _, err := identitymap.New(config); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error %v, want one with %q", err, reason)
		}
	}
}

func TestEitherKeyFindsTheRecord(t *testing.T) {
	t.Parallel()
	alice := person(1, "Alice@Example.edu")
	keys := []string{alice.ID, strings.ToUpper(alice.ID), "alice@example.edu", "ALICE@EXAMPLE.EDU", "Alice@Example.edu"}
	for _, first := range keys {
		s := newService(alice)
		m := s.newMap(t, identitymap.Config{})
		for _, key := range append([]string{first}, keys...) {
			who, err := m.Get(t.Context(), key)
			if err != nil || who.Identity != alice {
				t.Errorf("after %q: Get(%q) = %+v, %v", first, key, who, err)
			}
		}
		if n := len(s.log()); n != 1 {
			t.Errorf("after %q: %d requests, want 1", first, n)
		}
		want := identitymap.Stats{Hits: uint64(len(keys)), Misses: 1, Requests: 1}
		if got := m.Stats(); got != want {
			t.Errorf("after %q: %+v, want %+v", first, got, want)
		}
	}
}

func TestGetMany(t *testing.T) {
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
		if (r.Err == nil) != (r.Identity.ID != "") || r.Err != nil && !errors.Is(r.Err, identitymap.ErrNotFound) {
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

func TestCacheEnds(t *testing.T) {
	t.Parallel()
	s := newService(person(1, name(1)))
	start := time.Now()
	var passed atomic.Int64
	m := s.newMap(t, identitymap.Config{TTL: time.Hour, MissTTL: time.Minute, Now: func() time.Time { return start.Add(time.Duration(passed.Load())) }})
	ask := func(key string, requests int) {
		t.Helper()
		_, _ = m.Get(t.Context(), key)
		if n := len(s.log()); n != requests {
			t.Errorf("%q: %d requests, want %d", key, n, requests)
		}
	}
	ask(name(1), 1)
	ask(name(2), 2)
	ask(id(1), 2)
	passed.Store(int64(59 * time.Second))
	ask(name(1), 2)
	ask(name(2), 2)
	passed.Store(int64(61 * time.Second))
	ask(name(1), 2)
	ask(name(2), 3)
	passed.Store(int64(time.Hour + time.Second))
	ask(name(1), 4)
	ask(id(1), 4)
}

// TestDefaultClock does without Config.Now.
func TestDefaultClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(person(1, name(1)))
		m := s.newMap(t, identitymap.Config{})
		for _, wait := range []time.Duration{0, 14 * time.Minute, 2 * time.Minute} {
			time.Sleep(wait) // virtual
			if _, err := m.Get(t.Context(), name(1)); err != nil {
				t.Error(err)
			}
		}
		if n := len(s.log()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	s := newService(crowd(600)...)
	m := s.newMap(t, identitymap.Config{CacheSize: 20})
	for range 3 {
		if _, err := m.GetMany(t.Context(), names(600)); err != nil {
			t.Fatal(err)
		}
	}
	// Of each round, at most what the cache holds, and what its bookkeeping
	// has not dropped yet.
	if hits := m.Stats().Hits; hits > 300 {
		t.Errorf("%d hits from a cache for 20 identities", hits)
	}
}

// TestCachedGetDoesNotAllocate measures what the benchmarks promise.
func TestCachedGetDoesNotAllocate(t *testing.T) { //nolint:paralleltest // counts allocations of the process
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

func TestPutAddDelete(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newService(crowd(300)...)
	m := s.newMap(t, identitymap.Config{})

	if !m.Add(name(0)) || !m.Add(id(1)) || m.Add(name(0)) || m.Add("User0@example.EDU") {
		t.Error("Add does not tell new keys from known ones")
	}
	if got, want := m.Pending(), []string{name(0), id(1)}; !slices.Equal(got, want) {
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
	if got := len(m.Pending()); got != 51 {
		t.Errorf("%d pending, want 51", got)
	}
	if m.Add(name(2)) || !m.Add(name(250)) {
		t.Error("Add notes what the cache knows")
	}
	if _, err := m.Get(ctx, name(3)); err != nil || len(s.log()) != 1 {
		t.Errorf("a key that travelled along is not known: %v, %d requests", err, len(s.log()))
	}
	if _, err := m.GetMany(ctx, m.Pending()); err != nil || len(s.log()) != 3 {
		t.Errorf("the rest: %v, %d requests", err, len(s.log()))
	}
	if got := m.Pending(); len(got) != 0 {
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
	if got := m.Pending(); len(got) != 0 {
		t.Errorf("Delete left %q pending", got)
	}
	if !m.Add(name(299)) || len(m.Pending()) != 1 {
		t.Errorf("added again: %q", m.Pending())
	}

	carol := gen.Identity{ID: strings.ToUpper(id(12_345)), Username: "Carol@Example.edu", Name: "Carol"}
	m.Add("carol@example.edu")
	if err := m.Put(identitymap.Identity{Identity: carol}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{id(12_345), "carol@EXAMPLE.edu"} {
		if who, err := m.Get(ctx, key); err != nil || who.Identity != carol {
			t.Errorf("Get(%q) = %+v, %v", key, who, err)
		}
	}
	if slices.Contains(m.Pending(), "carol@example.edu") || len(s.log()) != 4 {
		t.Errorf("pending %q, %d requests", m.Pending(), len(s.log()))
	}
	for _, bad := range []gen.Identity{{}, {Username: name(1)}, {ID: "x"}, {ID: id(1), Username: "alice"}, {ID: id(1), Username: id(2)}} {
		if err := m.Put(identitymap.Identity{Identity: bad}); err == nil || !strings.Contains(err.Error(), "cannot be put") {
			t.Errorf("Put(%+v): %v", bad, err)
		}
	}
}

func TestProvision(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newService()
	plain := s.newMap(t, identitymap.Config{})
	makes := s.newMap(t, identitymap.Config{Provision: true, Share: plain})
	if _, err := plain.Get(ctx, "new@example.edu"); !errors.Is(err, identitymap.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := plain.Get(ctx, id(1)); !errors.Is(err, identitymap.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	// That nobody was found does not keep a map from creating them.
	who, err := makes.Get(ctx, "new@example.edu")
	if err != nil || who.Username != "new@example.edu" {
		t.Errorf("%+v, %v", who, err)
	}
	// IDs cannot be created, so that the shared answer serves.
	if _, err := makes.Get(ctx, id(1)); !errors.Is(err, identitymap.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := makes.Get(ctx, id(2)); !errors.Is(err, identitymap.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	var got []string
	for _, r := range s.log() {
		got = append(got, r.kind+" "+r.provision)
	}
	if want := []string{"usernames false", "ids ", "usernames true", "ids "}; !slices.Equal(got, want) {
		t.Errorf("requests %q, want %q", got, want)
	}
	if again, err := plain.Get(ctx, "new@example.edu"); err != nil || again.ID != who.ID || len(s.log()) != 4 {
		t.Errorf("%+v, %v, %d requests", again, err, len(s.log()))
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newService(crowd(4)...)
	provider := gen.IdentityProvider{ID: id(900_001), Name: "Example", ShortName: "ex", Domains: []string{"example.edu"}}
	s.providers[provider.ID] = provider
	plain := s.newMap(t, identitymap.Config{})
	full := s.newMap(t, identitymap.Config{Providers: true, Share: plain})

	if who, err := plain.Get(ctx, name(1)); err != nil || who.Provider != nil {
		t.Errorf("%+v, %v", who, err)
	}
	for range 2 {
		who, err := full.Get(ctx, name(1))
		if err != nil || who.Provider == nil || cmp.Diff(*who.Provider, provider) != "" {
			t.Fatalf("%+v, %v", who, err)
		}
		who.Provider.Domains[0] = "changed"
		who.Provider.Name = "changed"
	}
	// The service may not tell.
	if who, err := full.Get(ctx, name(2)); err != nil || who.Provider != nil {
		t.Errorf("%+v, %v", who, err)
	}
	if n := len(s.log()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	for i, want := range []string{"", "identity_provider", "identity_provider"} {
		if got := s.log()[i].include; got != want {
			t.Errorf("request %d: include=%s, want %s", i, got, want)
		}
	}
	own := provider
	own.Domains = []string{"own.example"}
	if err := full.Put(identitymap.Identity{Identity: person(3, name(3)), Provider: &own}); err != nil {
		t.Fatal(err)
	}
	own.Domains[0] = "changed"
	if who, err := full.Get(ctx, name(3)); err != nil || who.Provider.Domains[0] != "own.example" || len(s.log()) != 3 {
		t.Errorf("%+v, %v, %d requests", who, err, len(s.log()))
	}
}
