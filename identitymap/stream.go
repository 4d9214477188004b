package identitymap

import (
	"context"
	"iter"
)

// All looks up the keys of a sequence and yields each of them, as it was
// written, with its answer. Answers come in the order in which they arrive: for
// known keys at once, for the others batch by batch. A key that occurs twice is
// answered twice, and asked for once if the cache still has it or it is on its
// way.
//
// Memory does not grow with the number of keys: about twice the keys that
// [Config.Concurrency] requests hold are read ahead, more only of keys that come
// again and again. The keys are read on the goroutine that ranges over the
// result. A request is sent when it is full or the keys end, and answers that
// came are yielded when the next key is read, so a slow sequence delays both.
//
// When ctx ends, the keys whose answers are outstanding are yielded with its
// error, and the sequence ends; no more keys are read. Leaving the loop cancels
// the requests that nobody else waits for, and waits until they have ended.
func (m *Map) All(ctx context.Context, keys iter.Seq[string]) iter.Seq2[string, Result] {
	return func(yield func(string, Result) bool) {
		s := &stream{m: m, ctx: ctx, yield: yield, waiter: newWaiter()}
		s.most = 2 * m.batchSize * m.throttle.most
		for i := range s.groups {
			s.groups[i] = group{keys: map[string]struct{}{}, room: newRoom(m.batchSize)}
		}
		defer func() {
			if s.open > 0 {
				s.leave()
			}
		}()
		for text := range keys {
			if err := ctx.Err(); err != nil {
				s.give(text, Result{Err: &keyError{text, err}})
				break
			}
			if !s.add(text) {
				break
			}
		}
		s.finish()
	}
}

// stream is one range over All.
type stream struct {
	m      *Map
	ctx    context.Context //nolint:containedctx // lives as long as one call
	yield  func(string, Result) bool
	waiter *waiter
	spare  []answer // for the waiter, when its answers are taken

	groups  [kinds]group
	open    int  // keys that were submitted and not yet answered
	most    int  // how many of them there may be
	stopped bool // the consumer wants no more
}

// maxRepeats bounds what a group holds when the same keys come again and again:
// so many members for each key of a request.
const maxRepeats = 10

// group is a request in the making.
type group struct {
	members []member
	keys    map[string]struct{} // of the members, each once
	room    room
}

// add takes up one key and says whether to go on.
func (s *stream) add(text string) bool {
	k, known, err := s.m.look(text)
	switch {
	case err != nil:
		return s.give(text, Result{Err: err}) && s.collect(false)
	case known != nil:
		return s.answer(answer{text, known, nil}) && s.collect(false)
	}
	g := &s.groups[k.kind]
	if _, ok := g.keys[k.text]; !ok {
		if !g.room.take(k) {
			s.submit(g)
			g.room.take(k)
		}
		g.keys[k.text] = struct{}{}
	}
	g.members = append(g.members, member{k, text})
	if g.room.keys == 0 || len(g.members) == maxRepeats*s.m.batchSize {
		s.submit(g)
	}
	return s.collect(s.open > s.most)
}

// submit asks for the members of a group.
func (s *stream) submit(g *group) {
	s.m.start(s.ctx, s.waiter, g.members)
	s.open += len(g.members)
	clear(g.members)
	clear(g.keys)
	g.members = g.members[:0]
	g.room = newRoom(s.m.batchSize)
}

// collect yields the answers that have come. If wait is set, it waits until
// there are some. It says whether to go on.
func (s *stream) collect(wait bool) bool {
	if wait {
		select {
		case <-s.waiter.wake:
		case <-s.ctx.Done():
			return false
		}
	} else {
		select {
		case <-s.waiter.wake:
		default:
			return true
		}
	}
	s.m.mu.Lock()
	answers := s.waiter.done
	s.waiter.done = s.spare[:0]
	s.m.mu.Unlock()
	s.open -= len(answers)
	for i, a := range answers {
		if !s.answer(a) {
			return false
		}
		answers[i] = answer{}
	}
	s.spare = answers
	return true
}

// finish asks for what is left and yields it.
func (s *stream) finish() {
	if s.stopped {
		return
	}
	for i := range s.groups {
		if s.ctx.Err() == nil && len(s.groups[i].members) > 0 {
			s.submit(&s.groups[i])
		}
	}
	for s.open > 0 && s.collect(true) {
	}
	if s.stopped || s.ctx.Err() == nil {
		return
	}
	lost := s.leave()
	s.collect(false)
	for i := range s.groups {
		for _, member := range s.groups[i].members {
			lost = append(lost, member.text)
		}
	}
	for _, text := range lost {
		if !s.give(text, Result{Err: &keyError{text, s.ctx.Err()}}) {
			return
		}
	}
}

// leave ends the stream's waits, and returns the keys that it waited for when
// the requests that it was the last to wait for have ended.
func (s *stream) leave() []string {
	lost, cancelled := s.m.leave(s.waiter)
	for _, b := range cancelled {
		<-b.ended
	}
	return lost
}

func (s *stream) answer(a answer) bool {
	who, err := s.m.result(a.key, a.entry, a.err)
	return s.give(a.key, Result{Identity: who, Err: err})
}

func (s *stream) give(text string, r Result) bool {
	if !s.stopped && !s.yield(text, r) {
		s.stopped = true
	}
	return !s.stopped
}
