package identitymap

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/uuid"
)

// Map finds identities by username and by ID. Make one with [New].
//
// A Map is safe for concurrent use.
type Map struct {
	config Config
	cache  *otter.Cache[string, *entry] // by ID and by username, whose forms differ
	now    func() int64                 // nanoseconds
	closed chan struct{}                // of calls that need no request

	mu          sync.Mutex          // guards what follows, and every call and batch
	calls       map[string]*call    // the keys that are being looked up or were added
	waiting     list.List           // calls to send, the oldest first
	held        [kinds]list.List    // calls of streams, to send when they fill a request
	added       [kinds]list.List    // calls of keys that were only added
	running     map[*batch]struct{} // requests in flight
	limit       int                 // of requests in flight
	successes   int                 // since limit was changed
	closedUntil time.Time           // nothing is sent before
	refusal     error               // the 429 that closed it
	alarm       *time.Timer         // runs while calls wait for closedUntil

	admitted      int   // results of streams since the last TTL began
	admittedUntil int64 // when it ends
}

// Result is the response for one key: an identity, or an error.
type Result struct {
	// Identity is what the service tells of it, which depends on the map's credentials:
	// only the ID is certain.
	Identity gen.Identity
	// Err is nil or a *[KeyError].
	Err error
}

// entry is what is known about a key. It is never changed once it is cached.
type entry struct {
	identity gen.Identity
	missing  bool  // the key has no identity
	until    int64 // when the entry expires
	deleted  bool  // the service is asked, not the shared cache
}

// Get returns the identity with the given username or ID. Callers that ask for
// the same key at the same time share one request, which goes on as long as one
// of them waits. Keys given to [Map.Add] travel with it.
//
// The error is a *[KeyError].
func (m *Map) Get(ctx context.Context, key string) (who gen.Identity, err error) {
	if e := m.cached(key); e != nil && !e.missing {
		return e.identity, nil // the usual case, in as few steps as possible
	}
	c := m.lookup(ctx, key, false)
	m.hurry([]*call{c}) //nolint:contextcheck // a request carries the values of the context of the oldest call
	r, _ := m.wait(ctx, key, c)
	return r.Identity, r.Err
}

// GetMany returns a result for every key, as [Map.All] does.
//
// The error is about keys without a response: it says how many, and wraps what
// the first of them failed with. A missing identity is not an error here. The
// returned map holds a result for every key in any case.
func (m *Map) GetMany(ctx context.Context, keys []string) (map[string]Result, error) {
	results := maps.Collect(m.All(ctx, slices.Values(keys)))
	var first error
	failed := 0
	for _, key := range keys {
		r, found := results[key]
		if !found { // the context ended before
			r = Result{Err: &KeyError{key, ctx.Err()}}
			results[key] = r
		}
		if r.Err != nil && !errors.Is(r.Err, ErrNoIdentity) {
			if failed++; first == nil {
				first = fmt.Errorf("%s: %w", quote(key), errors.Unwrap(r.Err))
			}
		}
	}
	if failed > 0 {
		return results, fmt.Errorf("identitymap: no response for %d of %d keys: %w", failed, len(keys), first)
	}
	return results, nil
}

// Add notes a key that will be asked for: it travels with the next request that
// has room, so that a later lookup finds it in the cache. It reports whether
// the key was noted, which it is not when it is cached, being looked up or noted
// already, or is invalid. If that request fails, the key stays noted.
func (m *Map) Add(key string) bool {
	k, err := parseKey(key)
	if err != nil {
		return false
	}
	k.text = strings.Clone(k.text) // it may be a piece of something large
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls[k.text] != nil || m.cached(k.text) != nil {
		return false
	}
	m.note(k, &m.added[k.kind])
	return true
}

// Put stores an identity under its ID and, if it has one, its username, as if
// the service had just returned it. Lookups in flight still return the service's
// response. The error is about an identity without an ID, or with a username
// that is invalid.
func (m *Map) Put(identity gen.Identity) error {
	if !uuid.Valid(identity.ID) {
		return &KeyError{identity.ID, errors.New("cannot be stored: an identity needs its ID")}
	}
	texts := []string{lower(identity.ID)}
	if identity.Username != "" {
		k, err := parseKey(identity.Username)
		if err != nil || k.kind != username {
			return &KeyError{identity.Username, errors.New("cannot be stored: it is not a username")}
		}
		texts = append(texts, k.text)
	}
	e := &entry{identity: identity}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(e)
	for _, text := range texts {
		m.change(text)
		m.cache.Set(text, e)
	}
	return nil
}

// Delete forgets what is known under a key, or that it was added. The same
// record under its other key stays. Lookups in flight still return the service's
// response, which is not cached under this key.
func (m *Map) Delete(key string) {
	k, err := parseKey(key)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(k.text)
	if m.cache.Invalidate(k.text); m.config.SharedCache != nil {
		m.cache.Set(k.text, &entry{deleted: true, until: math.MinInt64})
	}
}

// change makes lookups of a key independent of what is in flight.
func (m *Map) change(text string) {
	for b := range m.running {
		if len(b.changed) < maxChanged {
			b.changed[text] = true
		}
	}
	if c := m.calls[text]; c != nil && (c.batch != nil || c.waiters == 0) {
		m.drop(c)
	}
}

// cached returns what is known under a canonical key, or nil.
func (m *Map) cached(text string) *entry {
	e, _ := m.cache.GetIfPresent(text)
	if e == nil || e.until <= m.now() {
		return nil
	}
	return e
}

// expire sets until when an entry is valid.
func (m *Map) expire(e *entry) { e.until = m.after(m.ttl(e)) }

// ttl is how long an entry is cached.
func (m *Map) ttl(e *entry) time.Duration {
	if e.missing {
		return min(m.config.TTL, maxMissTTL)
	}
	return m.config.TTL
}

// after returns the time after a duration, by the clock of entries.
func (m *Map) after(ttl time.Duration) int64 {
	now := m.now()
	return now + min(int64(ttl), math.MaxInt64-now)
}

// result returns what was found.
func (e *entry) result(key string) Result {
	if e.missing {
		return Result{Err: &KeyError{key, ErrNoIdentity}}
	}
	return Result{Identity: e.identity}
}
