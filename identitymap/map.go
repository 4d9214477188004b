package identitymap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2/stats"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
)

// Map finds identities by username and by ID. Make one with [New].
//
// A Map may be used by several goroutines at once.
type Map struct {
	client    *globusauth.Client
	cache     *cache
	provision bool
	providers bool
	batchSize int

	hits                     *stats.Counter // counts on many cores at once, which an atomic would not
	misses, requests, shared atomic.Uint64

	mu       sync.Mutex          // guards what follows, and every call, batch and waiter
	calls    map[string]*call    // keys on their way, for others to join; the two kinds differ in form
	queue    [kinds]queue        // calls that no request has taken yet
	arrivals uint64              // calls that were ever queued
	running  map[*batch]struct{} // requests on their way
	pending  [kinds]pendingList  // keys that were added and are not on their way
	throttle throttle
	alarm    *time.Timer // runs while calls wait for the throttle to open
}

// Identity is a person, a service or another user of Globus. Which members are
// filled depends on what the credentials may see: only the ID is certain.
type Identity struct {
	gen.Identity
	// Provider is the identity provider, nil without [Config.Providers] and
	// when the service does not tell.
	Provider *gen.IdentityProvider `json:"provider,omitempty"`
	// A size of whole 16 bytes: otherwise the last two moves of a copy overlap,
	// and reading it waits for both. That is a seventh of a cached lookup.
	_ [8]byte
}

// Result is the answer to one key: an identity, or an error.
type Result struct {
	Identity Identity
	// Err is nil, [ErrNotFound], or why there was no answer.
	Err error
}

// Stats counts what a map has done since it was made.
type Stats struct {
	// Hits are lookups answered from the cache, the known absence of somebody
	// included.
	Hits uint64
	// Misses are lookups for which the service was asked.
	Misses uint64
	// Shared are lookups that joined others of the same key, or whose answer came
	// while they waited for a request.
	Shared uint64
	// Requests are the calls of GetIdentities. The parts in which a malformed
	// request is asked again count, what the client repeats does not.
	Requests uint64
}

// Get returns the identity with the given username or ID, and waits for it if
// need be. Everybody who asks for the same key meanwhile shares one request; it
// goes on as long as one of them waits. Keys given to [Map.Add] travel with it.
//
// Errors: [ErrNotFound]; the context's; what the request failed with, such as
// an *apierror.Error.
func (m *Map) Get(ctx context.Context, key string) (who Identity, err error) {
	found := m.cache.get(key)
	if found == nil || found.missing || m.providers {
		return m.get(ctx, key, found)
	}
	// The usual case, in as few steps as there are.
	m.hits.RecordHits(1)
	who.Identity = found.identity
	return who, nil
}

// get is Get when the cache has something else than a plain answer under key as
// it is written, or nothing.
func (m *Map) get(ctx context.Context, key string, found *entry) (Identity, error) {
	k, found, err := m.lookFurther(key, found)
	switch {
	case err != nil:
		return Identity{}, err
	case found != nil:
		return m.result(key, found, nil)
	case ctx.Err() != nil:
		return Identity{}, &keyError{key, ctx.Err()}
	}
	w := newWaiter()
	m.start(ctx, w, []member{{k, key}})
	select {
	case <-w.wake:
	case <-ctx.Done():
		m.leave(w)
	}
	// Nobody adds to it any more.
	if len(w.done) == 0 {
		return Identity{}, &keyError{key, ctx.Err()}
	}
	return m.result(key, w.done[0].entry, w.done[0].err)
}

// GetMany returns an answer for every key, as [Map.All] does.
//
// The error is about keys without an answer, and names some of them; a missing
// person is an answer. All others have their answers, so look at the map in any
// case: a key without an answer has in Err why. Once ctx has ended that is its
// error, also for keys that the cache knows.
func (m *Map) GetMany(ctx context.Context, keys []string) (map[string]Result, error) {
	results := make(map[string]Result, len(keys))
	unique := make([]string, 0, len(keys))
	for _, k := range keys {
		if _, ok := results[k]; !ok {
			results[k] = Result{}
			unique = append(unique, k)
		}
	}
	lost := lossError{asked: len(unique)}
	answered := 0
	for k, r := range m.All(ctx, slices.Values(unique)) {
		results[k] = r
		answered++
		if r.Err != nil && !errors.Is(r.Err, ErrNotFound) {
			lost.add(k, r.Err)
		}
	}
	if answered < len(unique) {
		// The context ended before the rest was taken up.
		for _, k := range unique {
			if r := results[k]; r.Err == nil && r.Identity.ID == "" {
				r.Err = &keyError{k, ctx.Err()}
				results[k] = r
				lost.add(k, r.Err)
			}
		}
	}
	if len(lost.keys) > 0 {
		return results, &lost
	}
	return results, nil
}

// Add notes a key that will be asked for: it travels with the next request that
// has room, so that a later lookup finds it in the cache. It reports whether
// the key was noted, which it is not when it is known, on its way or noted
// already, or can name nobody.
func (m *Map) Add(key string) bool {
	key = strings.Clone(key) // it may be a piece of something large
	k, err := parseKey(key)
	if err != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := &m.pending[k.kind]
	if m.onItsWay(k) != nil || list.has(k) || m.knows(k) {
		return false
	}
	list.add(k, key)
	return true
}

// Pending returns the keys that were added and not yet asked for: usernames,
// then IDs, the oldest first. GetMany(ctx, m.Pending()) asks for all of them at
// once.
func (m *Map) Pending() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var noted []string
	for i := range m.pending {
		noted = append(noted, m.pending[i].keys()...)
	}
	return noted
}

// Put stores an identity under its ID and, if it has one, its username, as if
// the service had just sent it; without a provider, as if the service did not
// tell that. Who waits for one of these keys gets the answer that is under way.
// The error is about an identity without an ID, or with a username that is none.
func (m *Map) Put(identity Identity) error {
	if !isID(identity.ID) {
		return &keyError{identity.ID, errors.New("cannot be put: an identity needs its ID")}
	}
	keys := []key{{lower(identity.ID), identityID}}
	if identity.Username != "" {
		k, err := parseKey(identity.Username)
		if err != nil || k.kind != username {
			return &keyError{identity.Username, errors.New("cannot be put: it is not a username")}
		}
		keys = append(keys, k)
	}
	e := &entry{identity: identity.Identity, provider: copyProvider(identity.Provider), withProvider: true}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		m.pending[k.kind].drop(k)
	}
	m.cache.put(e, keys...)
	return nil
}

// Delete forgets what is known under a key, or that it was added. The same
// record under its other key stays. An answer on its way still reaches those
// who wait for it, but is not remembered under this key.
func (m *Map) Delete(key string) {
	k, err := parseKey(key)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending[k.kind].drop(k)
	m.cache.remove(k)
}

// Stats returns the counters. Read while the map is in use, they need not be
// of one instant.
func (m *Map) Stats() Stats {
	return Stats{
		Hits:     m.hits.Snapshot().Hits,
		Misses:   m.misses.Load(),
		Shared:   m.shared.Load(),
		Requests: m.requests.Load(),
	}
}

// look returns what is known about a key, and counts it, or else the key's
// canonical form.
func (m *Map) look(text string) (key, *entry, error) {
	return m.lookFurther(text, m.cache.get(text))
}

// lookFurther is look when e is what the cache has under text as it is written.
// It holds nothing but canonical keys: one that it has needs no check.
func (m *Map) lookFurther(text string, e *entry) (key, *entry, error) {
	if e != nil && e.answers(m, text) {
		m.hits.RecordHits(1)
		return key{}, e, nil
	}
	k, err := parseKey(text)
	if err != nil || e != nil || k.text == text {
		return k, nil, err
	}
	if e = m.cache.get(k.text); e == nil || !e.answers(m, k.text) {
		return k, nil, nil
	}
	m.hits.RecordHits(1)
	return k, e, nil
}

// knows says whether the cache has an answer, and leaves no mark.
func (m *Map) knows(k key) bool {
	e := m.cache.quietly(k.text)
	return e != nil && e.answers(m, k.text)
}

// result makes an answer of what is known, or of why nothing is. The caller may
// change it.
func (m *Map) result(key string, e *entry, err error) (Identity, error) {
	switch {
	case err != nil:
		return Identity{}, &keyError{key, err}
	case e.missing:
		return Identity{}, &keyError{key, ErrNotFound}
	}
	who := Identity{Identity: e.identity}
	if m.providers {
		who.Provider = copyProvider(e.provider)
	}
	return who, nil
}
