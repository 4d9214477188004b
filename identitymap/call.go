package identitymap

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// maxOutdated bounds what a batch remembers of changed keys.
const maxOutdated = 10_000

// call is one key that is being looked up. It is in a queue, in the list of added
// keys, in a batch, or done.
type call struct {
	key      key
	ctx      context.Context //nolint:containedctx // for the values that travel with the request; nil while it is only added
	number   uint64          // in the order of arrival
	waiters  int
	urgent   bool          // must not wait for a full batch
	place    *list.Element // in a queue or the list of added keys
	batch    *batch
	refusals int

	done  chan struct{} // closed when the following are set
	found *entry
	err   error
}

// queue holds the calls of one kind that wait for a request.
type queue struct {
	list.List

	urgent int // number of urgent ones
}

// batch is one request.
type batch struct {
	kind     kind
	calls    []*call
	waiters  int
	cancel   context.CancelFunc
	ended    chan struct{}
	outdated map[string]struct{} // keys put or deleted meanwhile
	uncached bool                // too many of them
}

func (b *batch) outdate(text string) {
	if b.outdated == nil {
		b.outdated = map[string]struct{}{}
	}
	b.outdated[text] = struct{}{}
	if len(b.outdated) > maxOutdated {
		b.outdated, b.uncached = nil, true
	}
}

// join makes a lookup wait for its key, with others if it is being looked up
// already; or finishes it, if the key became known since the caller looked.
func (m *Map) join(ctx context.Context, l *lookup, urgent bool) {
	c := m.calls[l.key.text]
	if c == nil {
		if l.found = m.known(l.key.text); l.found != nil {
			return
		}
		c = &call{key: l.key, done: make(chan struct{})}
		m.calls[l.key.text] = c
	}
	if c.ctx == nil { // new, or only added
		m.dequeue(c)
		m.arrivals++
		c.ctx, c.number = ctx, m.arrivals
		if c.batch == nil {
			c.place = m.queues[c.key.kind].PushBack(c)
		}
	}
	c.waiters++
	if c.batch != nil {
		c.batch.waiters++
	}
	l.call = c
	if urgent {
		m.hurry(c)
	}
}

// hurry makes a queued call not wait for a full batch.
func (m *Map) hurry(c *call) {
	if c.place != nil && !c.urgent {
		c.urgent = true
		m.queues[c.key.kind].urgent++
	}
}

// dequeue takes a call out of its queue, or out of the added keys.
func (m *Map) dequeue(c *call) {
	switch {
	case c.place == nil:
	case c.ctx == nil:
		m.added[c.key.kind].Remove(c.place)
	default:
		m.queues[c.key.kind].Remove(c.place)
		if c.urgent {
			c.urgent = false
			m.queues[c.key.kind].urgent--
		}
	}
	c.place = nil
}

// drop makes the next lookup of the key a new call.
func (m *Map) drop(c *call) {
	m.dequeue(c)
	if m.calls[c.key.text] == c {
		delete(m.calls, c.key.text)
	}
}

// leave ends one caller's wait. When the caller was the last one of a batch, the
// batch is cancelled and returned.
func (m *Map) leave(c *call) *batch {
	c.waiters--
	switch b := c.batch; {
	case b != nil:
		if b.waiters--; b.waiters > 0 {
			return nil
		}
		for _, c := range b.calls {
			m.drop(c)
		}
		b.cancel()
		return b
	case c.place != nil && c.waiters == 0:
		m.drop(c)
	}
	return nil
}

// answer ends a call.
func (m *Map) answer(c *call, found *entry, err error) {
	m.drop(c)
	c.batch, c.found, c.err = nil, found, err
	close(c.done)
}

// pump starts requests while there are keys to ask for and requests to spare.
// The caller holds mu.
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

// next returns the kind whose oldest call is the oldest of those that may be sent.
func (m *Map) next() (next kind, ok bool) {
	oldest := uint64(1<<64 - 1)
	for i := range m.queues {
		if q := &m.queues[i]; q.urgent > 0 || q.Len() >= m.config.BatchSize {
			if c, _ := q.Front().Value.(*call); c.number < oldest {
				oldest, next, ok = c.number, kind(i), true
			}
		}
	}
	return next, ok
}

// gather makes a batch of the oldest calls of a kind, topped up with keys that
// were added. Calls whose keys became known meanwhile are finished.
func (m *Map) gather(k kind) *batch {
	b := &batch{kind: k, ended: make(chan struct{})}
	space := room{m.config.BatchSize, maxKeysLength}
	for _, calls := range []*list.List{&m.queues[k].List, &m.added[k]} {
		for e := calls.Front(); e != nil; e = calls.Front() {
			c, _ := e.Value.(*call)
			if known := m.known(c.key.text); known != nil {
				m.answer(c, known, nil)
				continue
			}
			if !space.take(c.key) {
				break
			}
			m.dequeue(c)
			c.batch = b
			b.calls = append(b.calls, c)
			b.waiters += c.waiters
		}
		if len(b.calls) == 0 {
			break // added keys do not travel alone
		}
	}
	return b
}

// run sends a batch and hands out what it returns.
func (m *Map) run(ctx context.Context, b *batch) {
	defer close(b.ended)
	defer b.cancel()
	found, errs := m.askInParts(ctx, b)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, b)
	m.succeed(errs)
	for i, c := range slices.Backward(b.calls) {
		switch {
		case errs[i] == nil:
			m.learn(b, c.key, found[i])
			m.answer(c, found[i], nil)
		case c.comesAgain(errs[i]) && time.Until(m.closedUntil) <= maxPause:
			c.batch = nil
			c.refusals++
			c.place = m.queues[b.kind].PushFront(c)
			m.hurry(c)
			if m.calls[c.key.text] == nil {
				m.calls[c.key.text] = c
			}
		case c.ctx == nil:
			m.addAgain(c)
		default:
			m.answer(c, nil, errs[i])
		}
	}
	m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
}

// addAgain notes a key again that was only added, and whose request failed.
func (m *Map) addAgain(c *call) {
	c.batch = nil
	if other := m.calls[c.key.text]; (other == nil || other == c) && m.known(c.key.text) == nil {
		c.place = m.added[c.key.kind].PushBack(c)
		m.calls[c.key.text] = c
	}
}

// comesAgain reports whether a call is sent again after a pause.
func (c *call) comesAgain(err error) bool {
	return rateLimited(err) && c.waiters > 0 && c.refusals < maxRefusals
}

// learn caches what a batch returned for a key, unless something newer or better is
// known.
func (m *Map) learn(b *batch, k key, e *entry) {
	m.expire(e)
	if e.missing {
		m.store(b, k.text, e)
		return
	}
	// A username in the form of an ID would stand for someone else.
	if isID(e.identity.ID) {
		m.store(b, lower(e.identity.ID), e)
	}
	if k, err := parseKey(e.identity.Username); err == nil && k.kind == username {
		m.store(b, k.text, e)
	}
}

func (m *Map) store(b *batch, text string, e *entry) {
	if _, outdated := b.outdated[text]; outdated || b.uncached {
		return
	}
	if known := m.known(text); known != nil && !known.missing {
		// A record that came meanwhile is newer than its absence. A username stays with
		// the identity that it found, also when another one of that name is looked up by ID.
		if e.missing || b.kind == identityID && !isID(text) && lower(known.identity.ID) != lower(e.identity.ID) {
			return
		}
	}
	m.cache.Set(text, e)
	if c := m.calls[text]; c != nil && c.ctx == nil && c.batch == nil {
		m.drop(c) // it was only added
	}
}
