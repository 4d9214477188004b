package identitymap

import "fmt"

// Leftovers describes what a map still holds of lookups, which is nothing once
// no caller waits and every request has ended.
func (m *Map) Leftovers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	held, added := 0, 0
	for k := range kinds {
		held += m.held[k].Len()
		added += m.added[k].Len()
	}
	if m.waiting.Len()+held+len(m.running)+len(m.calls)-added == 0 && m.alarm == nil {
		return ""
	}
	return fmt.Sprintf("%d waiting, %d held, %d calls, %d added, %d requests, alarm %v", m.waiting.Len(), held, len(m.calls), added, len(m.running), m.alarm != nil)
}

// Added returns the keys that were added and not yet asked for: usernames, then
// IDs, the oldest first.
func (m *Map) Added() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for k := range kinds {
		for e := m.added[k].Front(); e != nil; e = e.Next() {
			keys = append(keys, e.Value.(*call).key.text) //nolint:forcetypeassert // a test
		}
	}
	return keys
}
