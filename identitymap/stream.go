package identitymap

import (
	"context"
	"iter"
)

// All looks up the keys of a sequence and yields each of them, as it was
// written, with its result, in the order of the sequence. A key that occurs
// twice is yielded twice, and asked for once.
//
// Memory does not grow with the number of keys: about twice the keys that
// [Config.Concurrency] requests hold are read ahead. The keys are read on the
// goroutine that ranges over the result. A request is sent when it is full or
// the keys end, and results are yielded when the next key is read, so a slow
// sequence delays both.
//
// When ctx ends, the keys that were read and have no response are yielded with
// its error, and the sequence ends. Leaving the loop cancels the requests that
// no other caller waits for, and waits until they have ended.
func (m *Map) All(ctx context.Context, keys iter.Seq[string]) iter.Seq2[string, Result] {
	return func(yield func(string, Result) bool) {
		s := &stream{m: m, ctx: ctx, yield: yield}
		defer s.leave()
		most := 2 * m.config.BatchSize * m.config.Concurrency
		for text := range keys {
			s.open = append(s.open, m.look(text))
			if l := &s.open[len(s.open)-1]; l.key.text != "" && ctx.Err() == nil {
				m.mu.Lock()
				m.join(ctx, l, false)
				m.pump() //nolint:contextcheck // a request carries the values of the context of the oldest call
				m.mu.Unlock()
			}
			if !s.drain(most) { //nolint:contextcheck // as above
				return
			}
			if ctx.Err() != nil {
				break
			}
		}
		s.drain(0) //nolint:contextcheck // as above
	}
}

// stream is one range over All.
type stream struct {
	m         *Map
	ctx       context.Context //nolint:containedctx // lives as long as one call
	yield     func(string, Result) bool
	open      []lookup // not yet yielded
	cancelled []*batch
}

// drain yields results that have come, and waits while there are more than most
// lookups. It reports whether the consumer wants more.
func (s *stream) drain(most int) bool {
	for len(s.open) > 0 {
		l := s.open[0]
		if !l.ready() {
			if len(s.open) <= most && s.ctx.Err() == nil {
				return true
			}
			s.wait(l.call)
		}
		r := s.result(&l)
		s.open[0] = lookup{}
		s.open = s.open[1:]
		if !s.yield(l.text, r) {
			return false
		}
	}
	return true
}

// wait waits for a call. What is queued is sent if the call itself is.
func (s *stream) wait(c *call) {
	s.m.mu.Lock()
	if c.place != nil && !c.urgent {
		for i := range s.open {
			if other := s.open[i].call; other != nil {
				s.m.hurry(other)
			}
		}
		s.m.pump()
	}
	s.m.mu.Unlock()
	select {
	case <-c.done:
	case <-s.ctx.Done():
	}
}

// result returns a lookup's result, which is the context's error if it is not
// finished.
func (s *stream) result(l *lookup) (r Result) {
	if l.ready() && (l.call != nil || l.found != nil || l.err != nil) {
		r.Identity, r.Err = l.result()
		return r
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.abandon(l.call)
	return Result{Err: &KeyError{l.text, s.ctx.Err()}}
}

// abandon ends the wait for a call. The caller holds m.mu.
func (s *stream) abandon(c *call) {
	if c == nil {
		return
	}
	if b := s.m.leave(c); b != nil {
		s.cancelled = append(s.cancelled, b)
	}
}

// leave ends all waits.
func (s *stream) leave() {
	s.m.mu.Lock()
	for i := range s.open {
		if l := &s.open[i]; !l.ready() {
			s.abandon(l.call)
		}
	}
	s.m.mu.Unlock()
	for _, b := range s.cancelled {
		<-b.ended
	}
}
