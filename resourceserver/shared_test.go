package resourceserver_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/sharedcache"
)

// shared is a sharedcache.Cache in memory. It keeps values for longer than it may.
type shared struct {
	mu     sync.Mutex
	values map[string][]byte
	ttl    time.Duration // of the last value
	broken bool          // finds nothing and loads nothing
}

func (s *shared) Fetch(ctx context.Context, keys []string, load sharedcache.Load) map[string][]byte {
	if s.broken {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value := s.values[keys[0]]; value != nil {
		return map[string][]byte{keys[0]: value}
	}
	for key, value := range load(ctx, keys) {
		s.ttl = value.TTL
		s.values[key] = value.Data
	}
	return nil
}

func TestAPIAuthenticate_SharedCache(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		grant  authtest.Grant
		second resourceserver.Config
		before func(w *world, cache *shared, token string)
		again  time.Duration // until the second API is asked again
		same   bool          // the first API has the rules of the second
		sent   int           // introspections of the second API
		denied bool
		ttl    time.Duration // zero means 30 s
	}{
		"hit":                         {},
		"revoked, within the time":    {before: func(w *world, _ *shared, token string) { w.ExpireToken(token); w.Advance(29 * time.Second) }},
		"revoked, after the time":     {before: func(w *world, _ *shared, token string) { w.ExpireToken(token); w.Advance(30 * time.Second) }, sent: 1, denied: true},
		"ends when the first ends":    {before: func(w *world, _ *shared, token string) { w.ExpireToken(token); w.Advance(20 * time.Second) }, again: 10 * time.Second, sent: 1, denied: true},
		"shorter than the first":      {second: resourceserver.Config{CacheTime: 5 * time.Second}, before: func(w *world, _ *shared, _ string) { w.Advance(20 * time.Second) }, again: 5 * time.Second},
		"a token that expires":        {grant: authtest.Grant{Age: 48*time.Hour - 10*time.Second}, before: func(w *world, _ *shared, _ string) { w.Advance(10 * time.Second) }, sent: 1, denied: true, ttl: 10 * time.Second},
		"rules that need the session": {second: resourceserver.Config{Rules: rules(resourceserver.Fresh(time.Hour))}, sent: 1},
		"the same rules":              {second: resourceserver.Config{Rules: rules(resourceserver.Fresh(time.Hour)), Details: true}, same: true},
		"unreadable":                  {before: func(_ *world, s *shared, _ string) { s.overwrite("{") }, sent: 1},
		"empty":                       {before: func(_ *world, s *shared, _ string) { s.overwrite("{}") }, sent: 1},
		"broken":                      {before: func(_ *world, s *shared, _ string) { s.broken = true }, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, cache := newWorld(t), &shared{values: map[string][]byte{}}
			test.grant.User = w.Alice.Username
			token := w.Token(test.grant)
			test.second.SharedCache = cache
			first := resourceserver.Config{SharedCache: cache}
			if test.same {
				first = test.second
			}
			want, err := w.api(t, first).Authenticate(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if expected := test.ttl; cache.ttl > max(expected, 30*time.Second) || expected > 0 && cache.ttl > expected {
				t.Errorf("TTL %v", cache.ttl)
			}
			for key, value := range cache.values {
				if strings.Contains(key+string(value), token) {
					t.Error("the cache holds the token")
				}
			}
			before := w.introspections()
			if test.before != nil {
				test.before(w, cache, token)
			}
			second := w.api(t, test.second)
			got, err := second.Authenticate(t.Context(), token)
			if test.again > 0 {
				w.Advance(test.again)
				got, err = second.Authenticate(t.Context(), token)
			}
			if (err != nil) != test.denied {
				t.Fatalf("the second API: %v", err)
			}
			if err == nil && (test.same || len(test.second.Rules) == 0) {
				if diff := cmp.Diff(want.Identity, got.Identity, cmpopts.IgnoreUnexported(resourceserver.Identity{})); diff != "" {
					t.Error(diff)
				}
			}
			if sent := w.introspections() - before; sent != test.sent {
				t.Errorf("%d introspections of the second API, want %d", sent, test.sent)
			}
		})
	}
}

func (s *shared) overwrite(value string) {
	for key := range s.values {
		s.values[key] = []byte(value)
	}
}

// An invalid token is remembered for 10 s; another client does not find what this one cached.
func TestAPIAuthenticate_SharedCacheOfInvalidToken(t *testing.T) {
	t.Parallel()
	w, cache := newWorld(t), &shared{values: map[string][]byte{}}
	for range 2 {
		if _, err := w.api(t, resourceserver.Config{SharedCache: cache}).Authenticate(t.Context(), "unknown"); err == nil {
			t.Error("an unknown token is accepted")
		}
	}
	if cache.ttl > 10*time.Second || w.introspections() != 1 {
		t.Errorf("TTL %v, %d introspections", cache.ttl, w.introspections())
	}
	w.OAuth.ClientSecret += "-rotated"
	_, _ = w.api(t, resourceserver.Config{SharedCache: cache}).Authenticate(t.Context(), "unknown")
	if w.introspections() != 2 {
		t.Errorf("%d introspections, want 2", w.introspections())
	}
}
