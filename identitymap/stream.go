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
// At most as many results of a sequence are cached as the cache holds: more would evict each other
// before they are used again.
//
// When ctx ends, the keys that were read and have no response are yielded with
// its error, and the sequence ends. Leaving the loop cancels the requests that
// no other caller waits for, and waits until they have ended.
func (m *Map) All(ctx context.Context, keys iter.Seq[string]) iter.Seq2[string, Result] {
	return func(yield func(string, Result) bool) {
		var texts []string // the keys that are not yet yielded
		var calls []*call  // one for each of them
		var cancelled []*batch
		room := m.config.CacheSize
		defer func() {
			for _, b := range append(cancelled, m.leave(calls, nil)...) {
				<-b.ended
			}
		}()
		// drain yields results that have come, and waits while there are more than most
		// lookups. It reports whether the consumer wants more.
		drain := func(most int) bool {
			for len(calls) > 0 {
				if !calls[0].ready() {
					if len(calls) <= most {
						return true
					}
					cancelled = append(cancelled, m.wait(ctx, calls)...)
				}
				key, r := texts[0], calls[0].result(texts[0])
				texts, calls = texts[1:], calls[1:]
				if !yield(key, r) {
					return false
				}
			}
			return true
		}
		for key := range keys {
			texts, calls = append(texts, key), append(calls, m.lookup(ctx, key, &room))
			if !drain(2 * m.config.BatchSize * m.config.Concurrency) {
				return
			}
			if ctx.Err() != nil {
				break
			}
		}
		drain(0)
	}
}
