package identitymap_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/identitymap"
)

func TestNew_Config(t *testing.T) {
	t.Parallel()
	client := newService().client(t)
	for _, test := range []struct {
		reason string
		config identitymap.Config
	}{
		{"Config.Client is nil", identitymap.Config{}},
		{"Config.BatchSize is -1; it must be from 0 to 1000", identitymap.Config{Client: client, BatchSize: -1}},
		{"Config.BatchSize is 1001; it must be from 0 to 1000", identitymap.Config{Client: client, BatchSize: 1001}},
		{"Config.Concurrency is -1; it must be from 0 to 1000", identitymap.Config{Client: client, Concurrency: -1}},
		{"Config.Concurrency is 1001; it must be from 0 to 1000", identitymap.Config{Client: client, Concurrency: 1001}},
		{"Config.CacheSize is -1; it must be from 0 to 100000000", identitymap.Config{Client: client, CacheSize: -1}},
		{"Config.CacheSize is 100000001; it must be from 0 to 100000000", identitymap.Config{Client: client, CacheSize: 100_000_001}},
		{"Config.TTL is -1ns; it must be from 0 to 8760h0m0s", identitymap.Config{Client: client, TTL: -1}},
		{"Config.TTL is 8761h0m0s; it must be from 0 to 8760h0m0s", identitymap.Config{Client: client, TTL: 8761 * time.Hour}},
	} {
		if m, err := identitymap.New(test.config); m != nil || err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("error %v, want one with %q", err, test.reason)
		}
	}
	for _, config := range []identitymap.Config{
		{Client: client, BatchSize: 1000, Concurrency: 1000, CacheSize: 100_000_000},
		{Client: client, BatchSize: 1, Concurrency: 1, CacheSize: 1, TTL: 1, Now: time.Now},
	} {
		if _, err := identitymap.New(config); err != nil {
			t.Error(err)
		}
	}
}

func TestMapGet_TTL(t *testing.T) {
	t.Parallel()
	s := newService(person(1, name(1)))
	start := time.Now()
	var passed atomic.Int64
	m := s.newMap(t, identitymap.Config{TTL: time.Hour, Now: func() time.Time { return start.Add(time.Duration(passed.Load())) }})
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

// TestMapGet_DefaultTTL leaves the times to the package.
func TestMapGet_DefaultTTL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key  string
		want time.Duration
	}{{name(1), 15 * time.Minute}, {id(1), 15 * time.Minute}, {name(2), time.Minute}, {id(2), time.Minute}} {
		t.Run(test.key, func(t *testing.T) {
			t.Parallel()
			s := newService(person(1, name(1)))
			start := time.Now()
			var passed atomic.Int64
			m := s.newMap(t, identitymap.Config{Now: func() time.Time { return start.Add(time.Duration(passed.Load())) }})
			for _, step := range []struct {
				passed   time.Duration
				requests int
			}{{0, 1}, {test.want - time.Millisecond, 1}, {test.want + time.Millisecond, 2}} {
				passed.Store(int64(step.passed))
				_, _ = m.Get(t.Context(), test.key)
				if n := len(s.log()); n != step.requests {
					t.Errorf("after %v: %d requests, want %d", step.passed, n, step.requests)
				}
			}
		})
	}
}

// TestMapGet_DefaultClock does without Config.Now.
func TestMapGet_DefaultClock(t *testing.T) {
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

// As many people as were asked for are known, each under both
// keys, and no more.
func TestMapGet_CacheSize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ size, people, known int }{
		{20, 600, 40},
		{600, 600, 1200},
		{600, 300, 600},
		{0, 11_000, 20_000},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.size, test.people), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(crowd(test.people)...)
				m := s.newMap(t, identitymap.Config{CacheSize: test.size})
				if _, err := m.GetMany(t.Context(), names(test.people)); err != nil {
					t.Fatal(err)
				}
				// The cache library drops the excess in the background.
				synctest.Wait()
				requests := len(s.log())
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				known := 0
				for n := range test.people {
					for _, key := range []string{name(n), id(n)} {
						// Returns the cached record and sends no request.
						if _, err := m.Get(ended, key); err == nil {
							known++
						}
					}
				}
				if known != test.known || len(s.log()) != requests {
					t.Errorf("%d keys are known, want %d; %d requests", known, test.known, len(s.log())-requests)
				}
			})
		})
	}
}
