package identitymap

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth/gen"
)

// entry is what is known about a key. It is never changed once it is cached.
type entry struct {
	identity gen.Identity
	provider *gen.IdentityProvider

	missing      bool // nobody has that key
	provisioned  bool // ... although the service was told to create them
	withProvider bool // the provider was asked for

	asked uint64 // when, in the cache's time
	until int64  // when it ends, by the clock
}

// answers says whether the entry is an answer to what a map asks for under a
// canonical key.
func (e *entry) answers(m *Map, text string) bool {
	if e.missing {
		return e.provisioned || !m.provision || isID(text)
	}
	return e.withProvider || !m.providers
}

func copyProvider(p *gen.IdentityProvider) *gen.IdentityProvider {
	if p == nil {
		return nil
	}
	clone := *p
	clone.AlternativeNames = slices.Clone(p.AlternativeNames)
	clone.Domains = slices.Clone(p.Domains)
	return &clone
}

// cache is what maps remember, and what several of them may share.
type cache struct {
	entries      *otter.Cache[string, *entry] // under IDs and usernames, whose forms differ
	now          func() int64                 // in nanoseconds
	ttl, missTTL time.Duration

	// mu orders what is learned with what is put and deleted: an answer to a
	// question asked before a Put or Delete must not undo it.
	mu      sync.Mutex
	time    uint64 // counts requests and changes
	running map[*batch]struct{}
	changed map[string]uint64 // when keys were put or deleted, as far as requests under way need it
	kept    int               // of changed, when it was last cleared of others
}

func newCache(size int, ttl, missTTL time.Duration, now func() time.Time) (*cache, error) {
	entries, err := otter.New(&otter.Options[string, *entry]{MaximumSize: 2 * size})
	if err != nil {
		return nil, fmt.Errorf("identitymap: make cache: %w", err)
	}
	c := &cache{entries: entries, ttl: ttl, missTTL: missTTL, running: map[*batch]struct{}{}, changed: map[string]uint64{}}
	if now != nil {
		c.now = func() int64 { return now().UnixNano() }
	} else {
		start := time.Now()
		c.now = func() int64 { return int64(time.Since(start)) }
	}
	return c, nil
}

// get returns what is known under a canonical key, or nil. An entry that has
// ended stays until another takes its place.
func (c *cache) get(text string) *entry {
	e, _ := c.entries.GetIfPresent(text)
	if e == nil || e.until <= c.now() {
		return nil
	}
	return e
}

// quietly is get without a mark in the cache's books.
func (c *cache) quietly(text string) *entry {
	found, ok := c.entries.GetEntryQuietly(text)
	if !ok || found.Value.until <= c.now() {
		return nil
	}
	return found.Value
}

// date says when an entry was asked for, and until when it counts from now on.
func (c *cache) date(e *entry, asked uint64) {
	e.asked = asked
	now, life := c.now(), c.ttl
	if e.missing {
		life = c.missTTL
	}
	if e.until = now + int64(life); e.until < now {
		e.until = math.MaxInt64
	}
}

// begin notes a batch that is about to be asked for.
func (c *cache) begin(b *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time++
	b.begun = c.time
	c.running[b] = struct{}{}
}

// overtaken says whether a key was put or deleted since a batch was begun.
func (c *cache) overtaken(b *batch, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed[text] > b.begun
}

// end notes that a batch has handed out its answers.
func (c *cache) end(b *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, b)
	c.forgetChanges()
}

// learn stores what a batch brought.
func (c *cache) learn(b *batch, learned []*entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range learned {
		if e == nil {
			continue
		}
		c.date(e, b.begun)
		if e.missing {
			// The caller's key may be a piece of something large.
			c.set(b, strings.Clone(b.calls[i].key.text), e)
			continue
		}
		// A username in the form of an ID would answer for somebody else.
		if isID(e.identity.ID) {
			c.set(b, lower(e.identity.ID), e)
		}
		if k, err := parseKey(e.identity.Username); err == nil && k.kind == username {
			c.set(b, k.text, e)
		}
	}
}

// set stores an entry unless something newer or better is known.
func (c *cache) set(b *batch, text string, e *entry) {
	if c.changed[text] > b.begun {
		return
	}
	// A record of later beats that nobody was there. A username stays with whom
	// it found, also when somebody else of that name was looked up by ID.
	if e.missing || b.kind == identityID && !isID(text) {
		if known := c.quietly(text); known != nil && !known.missing &&
			(e.missing && known.asked > e.asked || !e.missing && lower(known.identity.ID) != lower(e.identity.ID)) {
			return
		}
	}
	c.entries.Set(text, e)
}

func (c *cache) put(e *entry, keys ...key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		c.change(k)
	}
	c.date(e, c.time)
	for _, k := range keys {
		c.entries.Set(k.text, e)
	}
}

func (c *cache) remove(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(k)
	c.entries.Invalidate(k.text)
}

// change notes that a key was put or deleted.
func (c *cache) change(k key) {
	c.time++
	if len(c.running) > 0 {
		c.changed[k.text] = c.time
		c.forgetChanges()
	}
}

// forgetChanges drops what no request under way can undo any more.
func (c *cache) forgetChanges() {
	switch {
	case len(c.changed) == 0:
	case len(c.running) == 0:
		c.changed, c.kept = map[string]uint64{}, 0
	case len(c.changed) > 2*c.kept+100:
		oldest := c.time
		for b := range c.running {
			oldest = min(oldest, b.begun)
		}
		maps.DeleteFunc(c.changed, func(_ string, at uint64) bool { return at <= oldest })
		c.kept = len(c.changed)
	}
}
