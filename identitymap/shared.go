package identitymap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/sharedcache"
)

// fetch sets the result or the error of each call of a batch: from the shared cache, if there is
// one, or from the service.
func (m *Map) fetch(ctx context.Context, b *batch) {
	shared := map[string][]*call{} // by the name of the key; two when it was changed meanwhile
	for _, c := range b.calls {
		if known, _ := m.cache.GetIfPresent(c.key.text); m.config.SharedCache != nil && (known == nil || !known.deleted) {
			name := fmt.Sprintf("identity 1 %s provision=%t %s", m.config.Client.BaseURL(), m.config.Provision, c.key.text)
			shared[name] = append(shared[name], c)
		}
	}
	if len(shared) > 0 {
		load := func(ctx context.Context, names []string) map[string]sharedcache.Value {
			var calls []*call
			for _, name := range names {
				calls = append(calls, shared[name]...)
			}
			m.ask(ctx, calls)
			values := map[string]sharedcache.Value{}
			for _, name := range names {
				if c := shared[name][0]; c.err == nil {
					values[name] = m.pack(c.found)
				}
			}
			return values
		}
		for name, value := range m.config.SharedCache.Fetch(ctx, slices.Sorted(maps.Keys(shared)), load) {
			for _, c := range shared[name] {
				c.found = m.unpack(value)
			}
		}
	}
	var rest []*call // not shared, deleted, unreadable or expired, or ctx has ended
	for _, c := range b.calls {
		if c.found == nil && c.err == nil {
			rest = append(rest, c)
		}
	}
	if len(rest) > 0 {
		m.ask(ctx, rest)
	}
}

func (m *Map) pack(e *entry) sharedcache.Value {
	data, err := json.Marshal(e)
	if err != nil {
		return sharedcache.Value{} // not cached
	}
	return sharedcache.Value{Data: data, TTL: time.Duration(e.Until - m.now())}
}

// unpack returns nil for what is unreadable or expired.
func (m *Map) unpack(value []byte) *entry {
	var e entry
	if json.Unmarshal(value, &e) != nil || !e.Missing && e.Identity.ID == "" || e.Until <= m.now() {
		return nil
	}
	e.Until = min(e.Until, m.expiry(e.Missing))
	return &e
}
