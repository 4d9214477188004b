package identitymap

import (
	"fmt"
	"maps"
	"slices"
)

// Leftovers describes what a map still holds of lookups, which is nothing once
// no caller waits and every request has ended.
func (m *Map) Leftovers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	queued := 0
	for _, queue := range m.queue {
		queued += len(queue)
	}
	if queued+m.running+len(m.calls) == 0 && m.alarm == nil {
		return ""
	}
	return fmt.Sprintf("%d queued, %d calls, %d requests, alarm %v", queued, len(m.calls), m.running, m.alarm != nil)
}

// Added returns the keys that were added and not yet asked for: usernames, then
// IDs, sorted.
func (m *Map) Added() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for _, added := range m.added {
		keys = append(keys, slices.Sorted(maps.Keys(added))...)
	}
	return keys
}
