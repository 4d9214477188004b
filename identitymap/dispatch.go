package identitymap

import (
	"context"
	"slices"
)

// call is one key on its way to an answer.
type call struct {
	key      key
	waiting  []waiting
	inline   [1]waiting // where waiting usually lives
	added    string     // the key as it was given to Add; nobody waits for it
	batch    *batch     // the request that took it, or nil
	refusals int
	number   uint64          // in the order of arrival
	ctx      context.Context //nolint:containedctx // for the values that travel with the request
}

// waiting is somebody who waits for a call, and the key as they wrote it.
type waiting struct {
	waiter *waiter
	key    string
}

// waiter collects answers for one lookup.
type waiter struct {
	wake chan struct{} // holds one item when done is not empty
	done []answer
}

type answer struct {
	key   string
	entry *entry
	err   error
}

func newWaiter() *waiter { return &waiter{wake: make(chan struct{}, 1)} }

func (w *waiter) deliver(a answer) {
	w.done = append(w.done, a)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// batch is one request.
type batch struct {
	kind    kind
	calls   []*call
	waiting int // how many wait for its calls
	cancel  context.CancelFunc
	ended   chan struct{}
	// overtaken are the keys that were put or deleted since it was begun. It
	// is guarded by the cache's lock.
	overtaken map[string]struct{}
}

// join makes w wait for k: with others, if it is on its way already. The
// caller holds mu, and calls pump after its last join.
func (m *Map) join(ctx context.Context, w *waiter, k key, text string) *call {
	if c := m.calls[k.text]; c != nil {
		m.shared.Add(1)
		c.waiting = append(c.waiting, waiting{w, text})
		if c.batch != nil {
			c.batch.waiting++
		}
		return c
	}
	// The answer may have come since the caller looked.
	if e := m.cache.quietly(k.text); e != nil && e.answers(m, k.text) {
		m.shared.Add(1)
		w.deliver(answer{text, e, nil})
		return nil
	}
	m.misses.Add(1)
	m.pending[k.kind].drop(k)
	m.arrivals++
	c := &call{key: k, ctx: ctx, number: m.arrivals}
	c.waiting = append(c.inline[:0], waiting{w, text})
	m.calls[k.text] = c
	m.queue[k.kind].push(c)
	return c
}

// leave ends w's wait for c. A request that nobody waits for any more is
// cancelled and returned.
func (m *Map) leave(c *call, w *waiter) *batch {
	if c == nil {
		return nil
	}
	before := len(c.waiting)
	c.waiting = slices.DeleteFunc(c.waiting, func(o waiting) bool { return o.waiter == w })
	left := before - len(c.waiting)
	b := c.batch
	if b == nil {
		if len(c.waiting) == 0 && m.calls[c.key.text] == c {
			delete(m.calls, c.key.text) // the queue drops it when it comes by
		}
		return nil
	}
	if left == 0 {
		return nil
	}
	if b.waiting -= left; b.waiting > 0 {
		return nil
	}
	// Whoever asks from now on asks anew.
	for _, c := range b.calls {
		m.detach(c)
	}
	b.cancel()
	return b
}

// leaveAll ends all waits of w. It returns the keys that w waited for, and the
// requests that were cancelled.
func (m *Map) leaveAll(w *waiter) (lost []string, cancelled []*batch) {
	end := func(c *call) {
		for _, o := range c.waiting {
			if o.waiter == w {
				lost = append(lost, o.key)
			}
		}
		if b := m.leave(c, w); b != nil {
			cancelled = append(cancelled, b)
		}
	}
	for i := range m.queue {
		q := &m.queue[i]
		for _, c := range q.calls[q.head:] {
			end(c)
		}
	}
	for b := range m.running {
		for _, c := range b.calls {
			end(c)
		}
	}
	return lost, cancelled
}

// detach takes c out of what can be joined. A key that was only added is noted
// again.
func (m *Map) detach(c *call) {
	if m.calls[c.key.text] != c {
		return
	}
	delete(m.calls, c.key.text)
	if c.added != "" && len(c.waiting) == 0 && !m.knows(c.key) {
		m.pending[c.key.kind].add(c.key, c.added)
	}
}

// answer gives c's answer to all who wait for it.
func (m *Map) answer(c *call, e *entry, err error) {
	if m.calls[c.key.text] == c {
		delete(m.calls, c.key.text)
	}
	for _, w := range c.waiting {
		w.waiter.deliver(answer{w.key, e, err})
	}
	c.waiting, c.batch = nil, nil
}
