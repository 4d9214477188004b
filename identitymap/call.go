package identitymap

import (
	"container/list"
	"context"
	"slices"
	"time"

	"github.com/globusauth/globusauth/internal/uuid"
)

// call is the lookup of one key. It is in one of the map's lists, in a batch, or
// done.
type call struct {
	key      key
	ctx      context.Context //nolint:containedctx // for the values that travel with the request; nil while it is only added
	waiters  int
	list     *list.List
	place    *list.Element // in list
	batch    *batch
	refusals int
	passing  bool // only streams ask for it

	done  chan struct{} // closed when one of the following is set for good
	found *entry
	err   error
}

// batch is one request.
type batch struct {
	kind    kind
	calls   []*call
	cancel  context.CancelFunc
	ended   chan struct{}
	changed map[string]bool // keys put or deleted meanwhile
}

// maxChanged is how many changed keys a batch notes. With so many, nothing of what it
// returns is cached.
const maxChanged = 1000

// lookup returns the call of a key: one that is done if the key is cached or
// invalid, or ctx has ended; else one that waits with others of its kind to fill a
// request.
func (m *Map) lookup(ctx context.Context, text string, passing bool) *call {
	if e := m.cached(text); e != nil { // only canonical keys are cached
		return m.finished(e, nil)
	}
	k, err := parseKey(text)
	if err != nil {
		return m.finished(nil, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.cached(k.text); e != nil {
		return m.finished(e, nil)
	}
	if err := ctx.Err(); err != nil {
		return m.finished(nil, err)
	}
	c := m.calls[k.text]
	if c == nil {
		c = m.note(k, &m.held[k.kind])
	}
	c.passing = passing && (c.passing || c.ctx == nil)
	if c.ctx == nil { // new, or only added
		c.ctx = ctx
		if c.batch == nil {
			m.move(c, &m.held[k.kind])
		}
	}
	c.waiters++
	m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
	return c
}

// finished returns a call that is done.
func (m *Map) finished(found *entry, err error) *call {
	return &call{found: found, err: err, done: m.closed}
}

// note makes a call.
func (m *Map) note(k key, to *list.List) *call {
	c := &call{key: k, done: make(chan struct{})}
	m.calls[k.text] = c
	m.move(c, to)
	return c
}

// move moves a call to the end of a list, or out of all lists.
func (m *Map) move(c *call, to *list.List) {
	if c.list != nil {
		c.list.Remove(c.place)
	}
	if c.list = to; to != nil {
		c.place = to.PushBack(c)
	}
}

// drop makes the next lookup of the key a new call.
func (m *Map) drop(c *call) {
	m.move(c, nil)
	if m.calls[c.key.text] == c {
		delete(m.calls, c.key.text)
	}
}

// hurry sends calls without waiting for a full request, if the first of them waits for
// one.
func (m *Map) hurry(calls []*call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if calls[0].list != &m.held[calls[0].key.kind] {
		return
	}
	for _, c := range calls {
		if c.list == &m.held[c.key.kind] {
			m.move(c, &m.waiting)
		}
	}
	m.pump()
}

// ready reports whether the call is done.
func (c *call) ready() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// wait returns the result of a call. If ctx ends before, the result is the error of
// ctx, and the request that is cancelled because of it, if any, is returned too.
func (m *Map) wait(ctx context.Context, key string, c *call) (Result, *batch) {
	select {
	case <-c.done:
	case <-ctx.Done():
		m.mu.Lock()
		cancelled, left := m.leave(c)
		m.mu.Unlock()
		if left {
			return Result{Err: &KeyError{key, ctx.Err()}}, cancelled
		}
	}
	if c.err != nil {
		return Result{Err: &KeyError{key, c.err}}, nil
	}
	return c.found.result(key), nil
}

// leave ends one caller's wait, unless the call is done. If no caller waits for any
// call of its request any more, the request is cancelled and returned. The caller of
// leave holds mu.
func (m *Map) leave(c *call) (cancelled *batch, left bool) {
	if c.ready() {
		return nil, false
	}
	c.waiters--
	wanted := func(c *call) bool { return c.waiters > 0 }
	switch b := c.batch; {
	case b == nil && !wanted(c):
		m.drop(c)
	case b != nil && !slices.ContainsFunc(b.calls, wanted):
		for _, c := range b.calls {
			m.drop(c)
		}
		b.cancel()
		return b, true
	}
	return nil, true
}

// end ends a call. The caller has set its result.
func (m *Map) end(c *call) {
	m.drop(c)
	close(c.done)
}

// pump starts requests while there are keys to ask for and requests to spare.
func (m *Map) pump() {
	for len(m.running) < m.limit {
		k, ok := m.next()
		if !ok || m.paused() {
			return
		}
		if b := m.gather(k); len(b.calls) > 0 {
			// The request carries the values of one caller's context, and ends
			// when the last caller leaves.
			ctx, cancel := context.WithCancel(context.WithoutCancel(b.calls[0].ctx))
			b.cancel = cancel
			m.running[b] = struct{}{}
			go m.run(ctx, b)
		}
	}
}

// next returns the kind of the next request.
func (m *Map) next() (next kind, ok bool) {
	if oldest := m.waiting.Front(); oldest != nil {
		c, _ := oldest.Value.(*call)
		return c.key.kind, true
	}
	for k := range m.held {
		if m.held[k].Len() >= m.config.BatchSize {
			return kind(k), true
		}
	}
	return 0, false
}

// gather makes a batch of the oldest calls of a kind, topped up with keys that
// were added. Calls whose keys became known meanwhile are done.
func (m *Map) gather(k kind) *batch {
	b := &batch{kind: k, ended: make(chan struct{}), changed: map[string]bool{}}
	space := room{m.config.BatchSize, maxKeysLength}
	for _, calls := range []*list.List{&m.waiting, &m.held[k], &m.added[k]} {
		if calls == &m.added[k] && len(b.calls) == 0 {
			break // added keys do not travel alone
		}
		for e := calls.Front(); e != nil; {
			c, _ := e.Value.(*call)
			e = e.Next()
			if c.key.kind != k {
				continue
			}
			if c.found = m.cached(c.key.text); c.found != nil {
				m.end(c)
				continue
			}
			if !space.take(c.key) {
				return b
			}
			m.move(c, nil)
			c.batch = b
			b.calls = append(b.calls, c)
		}
	}
	return b
}

// run sends a batch and hands out what it returns.
func (m *Map) run(ctx context.Context, b *batch) {
	defer close(b.ended)
	defer b.cancel()
	m.fetch(ctx, b)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, b)
	m.succeed(b)
	for _, c := range slices.Backward(b.calls) {
		c.batch = nil
		latest := m.calls[c.key.text] == nil || m.calls[c.key.text] == c
		switch {
		case c.err == nil:
			if !c.passing || m.admit() {
				m.learn(b, c.key, c.found)
			}
			m.end(c)
		case m.retried(c):
			c.err = nil
			c.refusals++
			m.move(c, &m.waiting)
			m.waiting.MoveToFront(c.place)
			if latest {
				m.calls[c.key.text] = c
			}
		case c.ctx == nil && latest && m.cached(c.key.text) == nil:
			m.note(c.key, &m.added[b.kind]) // it was only added
		default:
			m.end(c)
		}
	}
	m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
}

// retried reports whether a failed call is sent again after a pause.
func (m *Map) retried(c *call) bool {
	return rateLimited(c.err) && c.waiters > 0 && c.refusals < maxRefusals && time.Until(m.closedUntil) <= maxPause
}

// admit reports whether what only a stream asked for is cached: as much as the cache holds in the
// lifetime of an entry. More would evict what it caches itself, before it is used.
func (m *Map) admit() bool {
	if now := m.now(); now >= m.admittedUntil {
		m.admitted, m.admittedUntil = 0, m.after(m.config.TTL)
	}
	m.admitted++
	return m.admitted <= m.config.CacheSize
}

// learn caches what a batch returned for a key, unless something newer or better is
// known.
func (m *Map) learn(b *batch, k key, e *entry) {
	if e.until == 0 { // else it comes from the shared cache
		m.expire(e)
	}
	if e.missing {
		m.store(b, k.text, e)
		return
	}
	// A username in the form of an ID would stand for another identity.
	if uuid.Valid(e.identity.ID) {
		m.store(b, lower(e.identity.ID), e)
	}
	if k, err := parseKey(e.identity.Username); err == nil && k.kind == username {
		m.store(b, k.text, e)
	}
}

func (m *Map) store(b *batch, text string, e *entry) {
	if b.changed[text] || len(b.changed) == maxChanged {
		return
	}
	if known := m.cached(text); known != nil && !known.missing {
		// A record that came meanwhile is newer than its absence. A username stays with
		// the identity that it found, also when another one of that name is looked up by ID.
		if e.missing || b.kind == identityID && !uuid.Valid(text) && lower(known.identity.ID) != lower(e.identity.ID) {
			return
		}
	}
	m.cache.Set(text, e)
	if c := m.calls[text]; c != nil && c.ctx == nil && c.batch == nil {
		m.drop(c) // it was only added
	}
}
