package identitymap

import "slices"

// queue holds the calls of one kind that no request has taken yet.
type queue struct {
	calls []*call
	head  int
	dead  int // how many of calls nobody waits for any more
}

func (q *queue) push(c *call) { q.calls = append(q.calls, c) }

// unshift puts calls back in front, in their order.
func (q *queue) unshift(calls []*call) {
	q.calls = slices.Replace(q.calls, 0, q.head, calls...)
	q.head = 0
}

// abandon takes note that nobody waits for one of the calls any more.
func (q *queue) abandon() {
	if q.dead++; q.dead > (len(q.calls)-q.head)/2+100 {
		q.calls = slices.DeleteFunc(q.calls[q.head:], func(c *call) bool { return c.ended })
		q.head, q.dead = 0, 0
	}
}

// front returns the oldest call that somebody waits for, or nil, and drops
// those before it.
func (q *queue) front() *call {
	for q.head < len(q.calls) {
		if c := q.calls[q.head]; !c.ended {
			return c
		}
		q.pop()
		q.dead--
	}
	q.calls, q.head = q.calls[:0], 0
	return nil
}

func (q *queue) pop() {
	q.calls[q.head] = nil
	q.head++
	if q.head > 1024 && q.head > len(q.calls)/2 {
		n := copy(q.calls, q.calls[q.head:])
		clear(q.calls[n:])
		q.calls, q.head = q.calls[:n], 0
	}
}

// pendingList holds the added keys of one kind that no request has taken yet,
// oldest first.
type pendingList struct {
	entries []pendingEntry
	noted   map[string]uint64 // canonical form to number
	last    uint64
}

type pendingEntry struct {
	key    key
	text   string // as the caller wrote it
	number uint64 // an entry with another number than noted was dropped
}

func (l *pendingList) has(k key) bool {
	_, ok := l.noted[k.text]
	return ok
}

func (l *pendingList) add(k key, text string) {
	if l.noted == nil {
		l.noted = map[string]uint64{}
	}
	l.last++
	l.noted[k.text] = l.last
	l.entries = append(l.entries, pendingEntry{k, text, l.last})
}

func (l *pendingList) drop(k key) {
	delete(l.noted, k.text)
	if len(l.noted) == 0 {
		l.entries = nil
	} else if len(l.entries) > 2*len(l.noted)+100 {
		l.entries = slices.DeleteFunc(l.entries, l.dropped)
	}
}

func (l *pendingList) dropped(p pendingEntry) bool { return l.noted[p.key.text] != p.number }

// keys returns the keys as they were written, oldest first.
func (l *pendingList) keys() []string {
	var keys []string
	for _, p := range l.entries {
		if !l.dropped(p) {
			keys = append(keys, p.text)
		}
	}
	return keys
}

// take drops the oldest keys for which fits returns true, and returns them.
func (l *pendingList) take(fits func(key) bool) []pendingEntry {
	var taken []pendingEntry
	for len(l.entries) > 0 {
		p := l.entries[0]
		if !l.dropped(p) {
			if !fits(p.key) {
				break
			}
			delete(l.noted, p.key.text)
			taken = append(taken, p)
		}
		l.entries = l.entries[1:]
	}
	if len(l.entries) == 0 {
		l.entries = nil
	}
	return taken
}
