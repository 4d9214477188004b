package identitymap

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// call is the lookup of one key. It waits in a queue of the map, is in a batch, or is done.
type call struct {
	key      key
	number   int             // in the order in which calls were made
	ctx      context.Context //nolint:containedctx // for the values that travel with the request; nil while it is only added
	waiters  int
	batch    *batch
	refusals int
	passing  bool // not to be cached, since a stream asks for more than the cache holds

	done  chan struct{} // closed when one of the following is set for good
	found *entry
	err   error
}

// maxKeysLength bounds the keys of one request in its URL. With the rest it stays
// under 8 kB, which RFC 9110 section 4.1 asks every recipient to support.
const maxKeysLength = 6000

// batch is one request.
type batch struct {
	calls  []*call
	began  int // how many changes there were before
	cancel context.CancelFunc
	ended  chan struct{}
}

// lookup returns the call of a key: one that is done if the key is cached or invalid, or ctx has
// ended; else one that waits in the queue. A stream says how many more results it may have cached.
func (m *Map) lookup(ctx context.Context, text string, room *int) *call {
	k, err := parseKey(text)
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.cached(k.text)
	if found == nil && err == nil {
		err = ctx.Err()
	}
	if found != nil || err != nil {
		return &call{found: found, err: err, done: m.closed}
	}
	c := m.calls[k.text]
	if c == nil {
		c = m.newCall(k)
		m.queue[k.kind] = append(m.queue[k.kind], c)
		if room != nil {
			*room--
			c.passing = *room < 0
		}
	}
	if c.ctx == nil { // new, or it travels with another
		c.ctx = ctx
	}
	c.waiters++
	c.passing = c.passing && room != nil
	m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
	return c
}

// newCall makes the call of a key, which is no longer only added.
func (m *Map) newCall(k key) *call {
	m.made++
	c := &call{key: k, number: m.made, done: make(chan struct{})}
	m.calls[k.text] = c
	delete(m.added[k.kind], k.text)
	return c
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

// result returns what a call that is done has found.
func (c *call) result(key string) Result {
	switch {
	case c.err != nil:
		return Result{Err: &KeyError{key, c.err}}
	case c.found.Missing:
		return Result{Err: &KeyError{key, ErrNoIdentity}}
	}
	return Result{Identity: c.found.Identity}
}

// wait waits for the first of one caller's calls. From then on none of them waits until it fills a
// request. If ctx ends before, all of them are left.
func (m *Map) wait(ctx context.Context, calls []*call) (cancelled []*batch) {
	m.mu.Lock()
	if c := calls[0]; c.batch == nil && c.number > m.urgent[c.key.kind] && ctx.Err() == nil {
		for _, c := range calls {
			m.urgent[c.key.kind] = max(m.urgent[c.key.kind], c.number)
		}
		m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
	}
	m.mu.Unlock()
	select {
	case <-calls[0].done:
		return nil
	case <-ctx.Done():
		return m.leave(calls, ctx.Err())
	}
}

// leave ends one caller's wait for calls: those that are not done are replaced by ones that failed
// with err. Requests for whose calls no caller waits any more are cancelled and returned.
func (m *Map) leave(calls []*call, err error) (cancelled []*batch) {
	m.mu.Lock() // until all are left, so that none of them is sent meanwhile
	defer m.mu.Unlock()
	wanted := func(c *call) bool { return c.waiters > 0 }
	for i, c := range calls {
		if c.ready() {
			continue
		}
		calls[i] = &call{err: err, done: m.closed}
		c.waiters--
		switch b := c.batch; {
		case b == nil && !wanted(c):
			m.forget(c)
			queue := &m.queue[c.key.kind]
			at, _ := slices.BinarySearchFunc(*queue, c, byNumber)
			*queue = slices.Delete(*queue, at, at+1)
		case b != nil && !slices.ContainsFunc(b.calls, wanted):
			for _, c := range b.calls {
				m.forget(c)
			}
			b.cancel()
			cancelled = append(cancelled, b)
		}
	}
	return cancelled
}

// byNumber is the order of a queue.
func byNumber(a, b *call) int { return a.number - b.number }

// forget makes the next lookup of the key a new call.
func (m *Map) forget(c *call) {
	if m.calls[c.key.text] == c {
		delete(m.calls, c.key.text)
	}
}

// end ends a call. The caller has set its result.
func (m *Map) end(c *call) {
	m.forget(c)
	close(c.done)
}

// pump starts requests while there are keys to ask for and requests to spare.
func (m *Map) pump() {
	for m.running < m.limit {
		k, ok := m.next()
		if !ok || m.paused() {
			return
		}
		if b := m.gather(k); len(b.calls) > 0 {
			// The request carries the values of one caller's context, and ends
			// when the last caller leaves.
			ctx, cancel := context.WithCancel(context.WithoutCancel(b.calls[0].ctx))
			b.cancel = cancel
			m.running++
			go m.run(ctx, b)
		}
	}
}

// next returns the kind of the next request: that of the oldest call, of those that are urgent or
// can fill a request.
func (m *Map) next() (next kind, ok bool) {
	for k, queue := range m.queue {
		if len(queue) == 0 || len(queue) < m.config.BatchSize && queue[0].number > m.urgent[k] {
			continue
		}
		if !ok || queue[0].number < m.queue[next][0].number {
			next, ok = kind(k), true
		}
	}
	return next, ok
}

// gather makes a batch of the oldest calls of a kind, topped up with keys that were added. Calls
// whose keys became known meanwhile are done.
func (m *Map) gather(k kind) *batch {
	b := &batch{began: m.changes, ended: make(chan struct{})}
	length := 0
	fits := func(text string) bool {
		length += len(url.QueryEscape(text)) + len("%2C")
		return len(b.calls) < m.config.BatchSize && length <= maxKeysLength
	}
	taken := 0
	for _, c := range m.queue[k] {
		if c.found = m.cached(c.key.text); c.found != nil {
			m.end(c)
		} else if fits(c.key.text) {
			c.batch = b
			b.calls = append(b.calls, c)
		} else {
			break
		}
		taken++
	}
	m.queue[k] = slices.Delete(m.queue[k], 0, taken)
	for text := range m.added[k] {
		if len(b.calls) == 0 || !fits(text) { // added keys do not travel alone
			break
		}
		c := m.newCall(key{text, k})
		c.batch = b
		b.calls = append(b.calls, c)
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
	m.running--
	for _, c := range b.calls {
		c.batch = nil
		switch {
		case c.err == nil:
			if !c.passing {
				m.learn(b, c.key, c.found)
			}
			m.end(c)
		case rateLimited(c.err) && c.waiters > 0 && c.refusals < maxRefusals && time.Until(m.closedUntil) <= maxPause:
			m.retry(c)
		default:
			m.end(c)
			if c.ctx == nil { // it was only added, and still is
				m.add(c.key)
			}
		}
	}
	m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
}

// retry puts a call that was refused back to its place in the queue.
func (m *Map) retry(c *call) {
	c.err = nil
	c.refusals++
	queue := &m.queue[c.key.kind]
	at, _ := slices.BinarySearchFunc(*queue, c, byNumber)
	*queue = slices.Insert(*queue, at, c)
	m.urgent[c.key.kind] = max(m.urgent[c.key.kind], c.number)
}
