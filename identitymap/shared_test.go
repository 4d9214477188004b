package identitymap_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/sharedcache"
)

// shared is a sharedcache.Cache in memory. It keeps values for longer than it may.
type shared struct {
	mu     sync.Mutex
	values map[string][]byte
	ttl    time.Duration // of the last value
	asked  int
	broken bool // finds nothing and loads nothing
}

func (s *shared) Fetch(ctx context.Context, keys []string, load sharedcache.Load) map[string][]byte {
	s.asked++
	if s.broken {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := maps.Clone(s.values)
	maps.DeleteFunc(found, func(key string, _ []byte) bool { return !slices.Contains(keys, key) })
	missing := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return found[key] != nil })
	if len(missing) > 0 {
		for key, value := range load(ctx, missing) {
			s.ttl = value.TTL
			s.values[key] = value.Data
		}
	}
	return found
}

func (s *shared) overwrite(value []byte) {
	for key := range s.values {
		s.values[key] = value
	}
}

func TestMapGet_SharedCache(t *testing.T) {
	t.Parallel()
	const stranger = "stranger@example.edu"
	alice := gen.Identity{ID: "46bd0f56-e24f-11e5-a510-131bef46955c", Username: "alice@example.edu", Name: "Ä<&>", Email: "a@example.edu", IdentityProvider: "927d7238-f917-4eb2-9ace-c523fa9ba34e", Organization: "O", Status: "used"}
	for name, test := range map[string]struct {
		key    string // empty means alice
		second identitymap.Config
		before func(*shared)
		after  time.Duration // until the second map asks
		again  time.Duration // until it asks again
		asked  int           // how often the service is, by the second map
		shared int           // how often the cache is, by both; 0 means once by each
	}{
		"hit":                        {},
		"hit by ID":                  {key: strings.ToUpper(alice.ID)},
		"missing":                    {key: stranger},
		"missing, a minute later":    {key: stranger, after: time.Minute, asked: 1},
		"expired":                    {after: 15 * time.Minute, asked: 1},
		"ends when the first ends":   {after: 10 * time.Minute, again: 5 * time.Minute, asked: 1},
		"own TTL is shorter":         {second: identitymap.Config{TTL: time.Minute}, again: time.Minute, shared: 3},
		"unreadable":                 {before: func(s *shared) { s.overwrite([]byte("{")) }, asked: 1},
		"without its ID":             {before: func(s *shared) { s.overwrite([]byte(`{"until":9000000000000000000}`)) }, asked: 1},
		"broken":                     {before: func(s *shared) { s.broken = true }, asked: 1},
		"of a map without provision": {key: stranger, second: identitymap.Config{Provision: true}, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newService(alice)
			cache := &shared{values: map[string][]byte{}}
			now := time.Unix(1_700_000_000, 0)
			key := test.key
			if key == "" {
				key = "Alice@example.edu"
			}
			get := func(m *identitymap.Map) (gen.Identity, bool) {
				who, err := m.Get(t.Context(), key)
				if err != nil && !errors.Is(err, identitymap.ErrNoIdentity) {
					t.Fatal(err)
				}
				return who, err == nil
			}
			open := func(config identitymap.Config) *identitymap.Map {
				config.SharedCache, config.Now = cache, func() time.Time { return now }
				return service.newMap(t, config)
			}
			want, found := get(open(identitymap.Config{}))
			before := len(service.requests)
			if test.before != nil {
				test.before(cache)
			}
			now = now.Add(test.after)
			second := open(test.second)
			got, gotFound := get(second)
			if test.again > 0 {
				now = now.Add(test.again)
				got, gotFound = get(second)
			}
			if !test.second.Provision {
				if diff := cmp.Diff(want, got); diff != "" || found != gotFound {
					t.Errorf("the second map found %t, not %t: %s", gotFound, found, diff)
				}
			}
			if asked := len(service.requests) - before; asked != test.asked || test.shared > 0 && cache.asked != test.shared {
				t.Errorf("%d requests of the second map, want %d; the cache was asked %d times", asked, test.asked, cache.asked)
			}
		})
	}
}

func TestMapDelete_SharedCache(t *testing.T) {
	t.Parallel()
	alice := gen.Identity{ID: "46bd0f56-e24f-11e5-a510-131bef46955c", Username: "alice@example.edu", Name: "before"}
	service, cache := newService(alice), &shared{values: map[string][]byte{}}
	m := service.newMap(t, identitymap.Config{SharedCache: cache})
	if _, err := m.Get(t.Context(), alice.Username); err != nil {
		t.Fatal(err)
	}
	alice.Name = "after"
	service.people[alice.Username] = alice
	m.Delete(alice.Username)
	for range 2 {
		if who, err := m.Get(t.Context(), alice.Username); err != nil || who.Name != "after" {
			t.Errorf("%v, %v", who, err)
		}
	}
	if len(service.requests) != 2 {
		t.Errorf("%d requests, want 2", len(service.requests))
	}
}

// One request for the keys that are not shared, and errors are not shared.
func TestMapGetMany_SharedCache(t *testing.T) {
	t.Parallel()
	alice := gen.Identity{ID: "46bd0f56-e24f-11e5-a510-131bef46955c", Username: "alice@example.edu"}
	bob := gen.Identity{ID: "ae341a98-d274-11e5-b888-dbae3a8ba545", Username: "bob@example.edu"}
	service, cache := newService(alice, bob), &shared{values: map[string][]byte{}}
	if _, err := service.newMap(t, identitymap.Config{SharedCache: cache}).Get(t.Context(), alice.Username); err != nil {
		t.Fatal(err)
	}
	service.fault = func(_ context.Context, number int, _ request) *http.Response {
		if number == 2 {
			return respond(http.StatusForbidden, "{}")
		}
		return nil
	}
	keys := []string{alice.Username, bob.Username, "x@example.edu"}
	if found, err := service.newMap(t, identitymap.Config{SharedCache: cache}).GetMany(t.Context(), keys); err == nil || found[alice.Username].Err != nil {
		t.Errorf("a failed request: %v, %v", found, err)
	}
	found, err := service.newMap(t, identitymap.Config{SharedCache: cache}).GetMany(t.Context(), keys)
	if err != nil || found[bob.Username].Identity.ID != bob.ID || !errors.Is(found["x@example.edu"].Err, identitymap.ErrNoIdentity) {
		t.Errorf("%v, %v", found, err)
	}
	if len(service.requests) != 3 || !slices.Equal(service.requests[2].keys, keys[1:]) {
		t.Errorf("requests %+v", service.requests)
	}
	if cache.ttl <= 0 || cache.ttl > 15*time.Minute {
		t.Errorf("TTL %v", cache.ttl)
	}
}
