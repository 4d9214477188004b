package identitymap

import "fmt"

// Leftovers describes what a map still holds of lookups, which is nothing once
// no caller waits and every request has ended.
func (m *Map) Leftovers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	queued, urgent, added := 0, 0, 0
	for i := range m.queues {
		queued += m.queues[i].Len()
		urgent += m.queues[i].urgent
		added += m.added[i].Len()
	}
	if queued+urgent+len(m.running)+len(m.calls)-added == 0 && m.alarm == nil {
		return ""
	}
	return fmt.Sprintf("%d queued, %d urgent, %d calls, %d added, %d requests, alarm %v", queued, urgent, len(m.calls), added, len(m.running), m.alarm != nil)
}

// Added returns the keys that were added and not yet asked for: usernames, then
// IDs, the oldest first.
func (m *Map) Added() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for i := range m.added {
		for e := m.added[i].Front(); e != nil; e = e.Next() {
			keys = append(keys, e.Value.(*call).key.text) //nolint:forcetypeassert // a test
		}
	}
	return keys
}
