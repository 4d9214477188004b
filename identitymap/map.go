package identitymap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
)

// Map finds identities by username and by ID. Make one with [New].
//
// A Map is safe for concurrent use.
type Map struct {
	config Config
	cache  *otter.Cache[string, *entry] // by ID and by username, whose forms differ
	now    func() int64                 // nanoseconds
	closed chan struct{}                // of calls that need no request

	mu          sync.Mutex                 // guards what follows, and every call and batch
	calls       map[string]*call           // the keys that are being looked up
	made        int                        // calls so far
	queue       [kinds][]*call             // calls to send, the oldest first
	urgent      [kinds]int                 // calls up to this number do not wait until they fill a request
	added       [kinds]map[string]struct{} // keys that were only added
	running     int                        // requests in flight
	limit       int                        // of running
	successes   int                        // since limit was changed
	closedUntil time.Time                  // nothing is sent before
	refusal     error                      // the 429 that closed it
	alarm       *time.Timer                // runs while calls wait for closedUntil

	changes   int            // how often a key was put or deleted
	changed   map[string]int // the last change of a key, so far as it is known
	unchanged int            // how many changes are not known any more
}

// maxChanged is how many changed keys are known.
const maxChanged = 1000

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
	Identity gen.Identity `json:"identity"`
	Missing  bool         `json:"missing,omitzero"` // the key has no identity
	Until    int64        `json:"until"`            // when the entry expires, in nanoseconds
	deleted  bool         // the service is asked, not the shared cache
}

// Get returns the identity with the given username or ID. Callers that ask for
// the same key at the same time share one request, which goes on as long as one
// of them waits. Keys given to [Map.Add] travel with it.
//
// The error is a *[KeyError].
func (m *Map) Get(ctx context.Context, key string) (who gen.Identity, err error) {
	if e := m.cached(key); e != nil && !e.Missing {
		return e.Identity, nil // the usual case, in as few steps as possible
	}
	c := []*call{m.lookup(ctx, key, nil)}
	m.wait(ctx, c)
	r := c[0].result(key)
	return r.Identity, r.Err
}

// GetMany returns a result for every key, as [Map.All] does.
//
// The error is about keys without a response: it says how many, and wraps what
// the first of them failed with. A missing identity is not an error here. The
// returned map holds a result for every key in any case.
func (m *Map) GetMany(ctx context.Context, keys []string) (_ map[string]Result, err error) {
	results := maps.Collect(m.All(ctx, slices.Values(keys)))
	failed := 0
	for _, key := range keys {
		r, found := results[key]
		if !found { // the context ended before
			r = Result{Err: &KeyError{key, ctx.Err()}}
			results[key] = r
		}
		if r.Err != nil && !errors.Is(r.Err, ErrNoIdentity) {
			failed++
			err = cmp.Or(err, r.Err)
		}
	}
	prefix.Add(&err, fmt.Sprintf("identitymap: no response for %d of %d keys", failed, len(keys)))
	return results, err
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
	return m.add(k)
}

func (m *Map) add(k key) bool {
	if _, twice := m.added[k.kind][k.text]; twice || m.calls[k.text] != nil || m.cached(k.text) != nil {
		return false
	}
	m.added[k.kind][k.text] = struct{}{}
	return true
}

// Put stores an identity under its ID and, if it has one, its username, as if
// the service had just returned it. Lookups in flight still return the service's
// response. The error is about an identity without an ID, or with a username
// that is invalid.
func (m *Map) Put(identity gen.Identity) error {
	keys := keysOf(&identity)
	switch {
	case len(keys) == 0 || keys[0].kind != identityID:
		return &KeyError{identity.ID, errors.New("cannot be stored: an identity needs its ID")}
	case len(keys) == 1 && identity.Username != "":
		return &KeyError{identity.Username, errors.New("cannot be stored: it is not a username")}
	}
	e := &entry{Identity: identity, Until: m.expiry(false)}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		m.change(k)
		m.cache.Set(k.text, e)
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
	m.change(k)
	if m.cache.Invalidate(k.text); m.config.SharedCache != nil {
		m.cache.Set(k.text, &entry{deleted: true})
	}
}

// change makes lookups of a key independent of what is in flight.
func (m *Map) change(k key) {
	if len(m.changed) == maxChanged {
		clear(m.changed)
		m.unchanged = m.changes
	}
	m.changes++
	m.changed[k.text] = m.changes
	delete(m.added[k.kind], k.text)
	if c := m.calls[k.text]; c != nil && c.batch != nil {
		m.forget(c)
	}
}

// cached returns what is known under a canonical key, or nil.
func (m *Map) cached(text string) *entry {
	e, _ := m.cache.GetIfPresent(text)
	if e == nil || e.Until <= m.now() {
		return nil
	}
	return e
}

// expiry returns until when what is found now is cached.
func (m *Map) expiry(missing bool) int64 {
	ttl := m.config.TTL
	if missing {
		ttl = min(ttl, maxMissTTL)
	}
	return m.now() + int64(ttl)
}

// learn caches what a batch returned for a key, unless something newer or better is
// known.
func (m *Map) learn(b *batch, asked key, e *entry) {
	keys := []key{asked}
	if !e.Missing {
		keys = keysOf(&e.Identity)
	}
	for _, k := range keys {
		if known := m.cached(k.text); known != nil && !known.Missing {
			// A record that came meanwhile is newer than its absence. A username stays with
			// the identity that it found, also when another one of that name is looked up by ID.
			if e.Missing || k.kind != asked.kind && k.kind == username && lower(known.Identity.ID) != lower(e.Identity.ID) {
				continue
			}
		}
		if max(m.changed[k.text], m.unchanged) <= b.began {
			m.cache.Set(k.text, e)
			delete(m.added[k.kind], k.text)
		}
	}
}
