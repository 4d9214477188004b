package identitymap

import (
	"context"
	"slices"
)

// call is one key on its way to an answer.
type call struct {
	key      key
	waiting  []waiting  // some of them may have left
	inline   [1]waiting // where waiting usually lives
	live     int        // how many of them have not
	ended    bool       // answered, or nobody waits for it
	added    string     // the key as it was given to Add, if nobody asked for it at first
	batch    *batch     // the request that took it, or nil
	asked    bool       // a request took it before
	refusals int
	number   uint64          // in the order of arrival
	ctx      context.Context //nolint:containedctx // for the values that travel with the request; nil while it is only added
}

// waiting is somebody who waits for a call, and the key as they wrote it.
type waiting struct {
	waiter *waiter
	key    string
}

// waiter collects answers for one lookup.
type waiter struct {
	wake  chan struct{} // holds one item when done is not empty
	done  []answer
	waits []wait // what it waits for, and some that has ended
	kept  int    // of waits, when it was last cleared of others
	left  bool
}

type wait struct {
	call *call
	key  string
}

type answer struct {
	key   string
	entry *entry
	err   error
}

func newWaiter() *waiter { return &waiter{wake: make(chan struct{}, 1)} }

func (w *waiter) deliver(a answer) {
	if w.left {
		return
	}
	w.done = append(w.done, a)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// attach makes w wait for c.
func (c *call) attach(w *waiter, text string) {
	c.waiting = append(c.waiting, waiting{w, text})
	c.live++
	if c.batch != nil {
		c.batch.waiting++
	}
	w.waits = append(w.waits, wait{c, text})
}

// batch is one request.
type batch struct {
	kind    kind
	calls   []*call
	waiting int // how many wait for its calls
	cancel  context.CancelFunc
	ended   chan struct{}
	begun   uint64 // in the cache's time
}

// member is a key that somebody asks for, and its canonical form.
type member struct {
	key  key
	text string
}

// start makes w wait for keys.
func (m *Map) start(ctx context.Context, w *waiter, members []member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, member := range members {
		m.join(ctx, w, member.key, member.text)
	}
	if len(w.waits) > 2*w.kept+len(members) {
		w.waits = slices.DeleteFunc(w.waits, func(x wait) bool { return x.call.ended })
		w.kept = len(w.waits)
	}
	m.pump() //nolint:contextcheck // a request carries the values of the oldest call that it is about
}

// onItsWay returns the call for a key, or nil. An answer to what was asked before
// the key was put or deleted is none.
func (m *Map) onItsWay(k key) *call {
	c := m.calls[k.text]
	if c == nil || c.batch != nil && m.cache.overtaken(c.batch, k.text) {
		return nil
	}
	return c
}

// join makes w wait for k: with others, if it is on its way already.
func (m *Map) join(ctx context.Context, w *waiter, k key, text string) {
	if c := m.onItsWay(k); c != nil {
		m.shared.Add(1)
		if c.ctx == nil {
			m.arrivals++
			c.ctx, c.number = ctx, m.arrivals
		}
		c.attach(w, text)
		return
	}
	// The answer may have come since the caller looked.
	if e := m.cache.quietly(k.text); e != nil && e.answers(m, k.text) {
		m.shared.Add(1)
		w.deliver(answer{text, e, nil})
		return
	}
	m.pending[k.kind].drop(k)
	m.arrivals++
	c := &call{key: k, ctx: ctx, number: m.arrivals}
	c.waiting = c.inline[:0]
	c.attach(w, text)
	m.calls[k.text] = c
	m.queue[k.kind].push(c)
}

// leave ends all waits of w, which must not be used any more. It returns the
// keys that w waited for, and the requests that were cancelled because nobody
// waits for them now.
func (m *Map) leave(w *waiter) (lost []string, cancelled []*batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.left = true
	for _, x := range w.waits {
		c := x.call
		if c.ended {
			continue
		}
		lost = append(lost, x.key)
		c.live--
		if len(c.waiting) > 2*c.live+16 {
			c.waiting = slices.DeleteFunc(c.waiting, func(o waiting) bool { return o.waiter.left })
		}
		switch b := c.batch; {
		case b == nil && c.live == 0:
			c.ended = true
			if m.calls[c.key.text] == c {
				delete(m.calls, c.key.text)
			}
			m.queue[c.key.kind].abandon()
		case b != nil:
			if b.waiting--; b.waiting > 0 {
				continue
			}
			// Whoever asks from now on asks anew.
			for _, c := range b.calls {
				m.detach(c)
			}
			b.cancel()
			cancelled = append(cancelled, b)
		}
	}
	w.waits = nil
	return lost, cancelled
}

// detach takes c out of what can be joined. A key that was only added is noted
// again.
func (m *Map) detach(c *call) {
	if m.calls[c.key.text] != c {
		return
	}
	delete(m.calls, c.key.text)
	if c.added != "" && c.live == 0 && !m.knows(c.key) {
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
	c.waiting, c.batch, c.ended = nil, nil, true
}

// again puts a call whose request was refused for now back to those that no
// request has taken. It returns nil if somebody else asks for the same key
// already, who then asks for both.
func (m *Map) again(c *call) *call {
	c.batch = nil
	other := m.calls[c.key.text]
	if other == nil || other == c {
		m.pending[c.key.kind].drop(c.key)
		m.calls[c.key.text] = c
		return c
	}
	if other.ctx == nil {
		other.ctx, other.number = c.ctx, c.number
	}
	for _, w := range c.waiting {
		if !w.waiter.left {
			other.attach(w.waiter, w.key)
		}
	}
	c.waiting, c.ended = nil, true
	return nil
}
