package identitymap

import "fmt"

// Leftovers describes what a map still holds of lookups, which is nothing once
// nobody waits and every request has ended.
func (m *Map) Leftovers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache.mu.Lock()
	defer m.cache.mu.Unlock()
	queued := 0
	for i := range m.queue {
		if m.queue[i].front() != nil || m.queue[i].dead != 0 {
			queued++
		}
	}
	if queued+len(m.calls)+len(m.running)+len(m.cache.running)+len(m.cache.changed) == 0 && m.alarm == nil {
		return ""
	}
	return fmt.Sprintf("%d queues, %d calls, %d requests, %d in the cache's books, %d changes, alarm %v",
		queued, len(m.calls), len(m.running), len(m.cache.running), len(m.cache.changed), m.alarm != nil)
}
