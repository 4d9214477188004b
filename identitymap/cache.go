package identitymap

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth/gen"
)

// entry is what is known about a key. It is never changed.
type entry struct {
	identity gen.Identity
	provider *gen.IdentityProvider

	plain        bool // a record and no provider
	missing      bool // nobody has that key
	provisioned  bool // ... although the service was told to create them
	withProvider bool // the provider was asked for
}

func newEntry(who gen.Identity, provider *gen.IdentityProvider, withProvider bool) *entry {
	return &entry{identity: who, provider: provider, plain: provider == nil, withProvider: withProvider}
}

// answers says whether the entry is an answer to what a map asks for under a
// canonical key.
func (e *entry) answers(m *Map, text string) bool {
	if e.missing {
		return e.provisioned || !m.provision || isID(text)
	}
	return e.withProvider || !m.providers
}

// get returns a copy of the record that the caller may change.
func (e *entry) get() Identity {
	who := Identity{Identity: e.identity}
	if e.provider != nil {
		who.Provider = copyProvider(e.provider)
	}
	return who
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
	entries *otter.Cache[string, *entry] // under IDs and usernames, whose forms differ

	// mu orders what is learned with what is put and deleted: an answer to a
	// question asked before a Put or Delete must not undo it.
	mu      sync.Mutex
	running map[*batch]struct{}
}

func newCache(size int, ttl, missTTL time.Duration, now func() time.Time) (*cache, error) {
	options := &otter.Options[string, *entry]{
		MaximumSize: 2 * size,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry]) time.Duration {
			if e.Value.missing {
				return missTTL
			}
			return ttl
		}),
	}
	if now != nil {
		options.Clock = clock(now)
	}
	entries, err := otter.New(options)
	if err != nil {
		return nil, fmt.Errorf("identitymap: make cache: %w", err)
	}
	// Entries that ended go when others come. A goroutine that looks for them
	// would need an owner and an end.
	entries.StopAllGoroutines()
	return &cache{entries: entries, running: map[*batch]struct{}{}}, nil
}

// clock is an injected clock as the cache library wants it.
type clock func() time.Time

func (c clock) NowNano() int64                      { return c().UnixNano() }
func (c clock) Tick(time.Duration) <-chan time.Time { return nil }

// quietly returns an entry without a mark in the cache's books.
func (c *cache) quietly(text string) *entry {
	found, ok := c.entries.GetEntryQuietly(text)
	if !ok {
		return nil
	}
	return found.Value
}

// begin notes a batch that is about to be asked for.
func (c *cache) begin(b *batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[b] = struct{}{}
}

// learn stores what a batch brought, except under keys that were put or
// deleted meanwhile, and ends it.
func (c *cache) learn(b *batch, learned []*entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, b)
	set := func(text string, e *entry) {
		if _, ok := b.overtaken[text]; !ok {
			c.entries.Set(text, e)
		}
	}
	for i, e := range learned {
		switch {
		case e == nil:
		case e.missing:
			// The caller's key may be a piece of something large.
			set(strings.Clone(b.calls[i].key.text), e)
		default:
			// A username in the form of an ID would answer for somebody else.
			if isID(e.identity.ID) {
				set(lower(e.identity.ID), e)
			}
			if k, err := parseKey(e.identity.Username); err == nil && k.kind == username {
				set(k.text, e)
			}
		}
	}
}

func (c *cache) put(e *entry, keys ...key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range keys {
		c.overtake(k)
		c.entries.Set(k.text, e)
	}
}

func (c *cache) remove(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.overtake(k)
	c.entries.Invalidate(k.text)
}

func (c *cache) overtake(k key) {
	for b := range c.running {
		if b.overtaken == nil {
			b.overtaken = map[string]struct{}{}
		}
		b.overtaken[k.text] = struct{}{}
	}
}
