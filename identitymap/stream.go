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
// Of what only streams ask for, no more is cached within [Config.TTL] than the cache holds: more would
// evict each other before they are asked for again.
//
// When ctx ends, the keys that were read and have no response are yielded with
// its error, and the sequence ends. Leaving the loop cancels the requests that
// no other caller waits for, and waits until they have ended.
func (m *Map) All(ctx context.Context, keys iter.Seq[string]) iter.Seq2[string, Result] {
	return func(yield func(string, Result) bool) {
		s := &stream{m: m, ctx: ctx, yield: yield}
		defer s.leave()
		most := 2 * m.config.BatchSize * m.config.Concurrency
		for key := range keys {
			s.keys, s.calls = append(s.keys, key), append(s.calls, m.lookup(ctx, key, true))
			if !s.drain(most) { //nolint:contextcheck // a request carries the values of the context of the oldest call
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
	ctx       context.Context //nolint:containedctx // The context of one call.
	yield     func(string, Result) bool
	keys      []string // not yet yielded
	calls     []*call  // one for each key
	cancelled []*batch
}

// drain yields results that have come, and waits while there are more than most
// lookups. It reports whether the consumer wants more.
func (s *stream) drain(most int) bool {
	for len(s.keys) > 0 {
		key, c := s.keys[0], s.calls[0]
		if !c.ready() {
			if len(s.keys) <= most && s.ctx.Err() == nil {
				return true
			}
			s.m.hurry(s.calls)
		}
		r, cancelled := s.m.wait(s.ctx, key, c)
		if cancelled != nil {
			s.cancelled = append(s.cancelled, cancelled)
		}
		s.keys[0], s.calls[0] = "", nil
		s.keys, s.calls = s.keys[1:], s.calls[1:]
		if !s.yield(key, r) {
			return false
		}
	}
	return true
}

// leave ends all waits, and waits until the requests that it cancels have ended.
func (s *stream) leave() {
	s.m.mu.Lock() // until all are left, so that none of them is sent meanwhile
	for _, c := range s.calls {
		if cancelled, _ := s.m.leave(c); cancelled != nil {
			s.cancelled = append(s.cancelled, cancelled)
		}
	}
	s.m.mu.Unlock()
	for _, b := range s.cancelled {
		<-b.ended
	}
}
