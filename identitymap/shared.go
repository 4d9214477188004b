package identitymap

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/sharedcache"
)

// record is an entry in the shared cache.
type record struct {
	Identity gen.Identity `json:"identity"`
	Missing  bool         `json:"missing,omitzero"`
	Until    time.Time    `json:"until"`
}

// fetch sets the result or the error of each call of a batch: from the shared cache, if there is
// one, or from the service.
func (m *Map) fetch(ctx context.Context, b *batch) {
	if m.config.SharedCache == nil {
		m.askInParts(ctx, b.kind, b.calls)
		return
	}
	byName := map[string][]*call{} // two calls have the same key when it was changed meanwhile
	var names []string
	for _, c := range b.calls {
		if known, _ := m.cache.GetIfPresent(c.key.text); known != nil && known.deleted {
			continue
		}
		name := m.sharedName(c.key)
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], c)
	}
	if len(names) > 0 {
		found := m.config.SharedCache.Fetch(ctx, names, func(ctx context.Context, names []string) map[string]sharedcache.Value {
			var calls []*call
			for _, name := range names {
				calls = append(calls, byName[name]...)
			}
			m.askInParts(ctx, b.kind, calls)
			values := map[string]sharedcache.Value{}
			for _, name := range names {
				if c := byName[name][0]; c.err == nil {
					values[name] = m.pack(c.found)
				}
			}
			return values
		})
		for name, value := range found {
			for _, c := range byName[name] {
				c.found = m.unpack(value)
			}
		}
	}
	var rest []*call // deleted, unreadable, expired, or ctx has ended
	for _, c := range b.calls {
		if c.found == nil && c.err == nil {
			rest = append(rest, c)
		}
	}
	if len(rest) > 0 {
		m.askInParts(ctx, b.kind, rest)
	}
}

// sharedName names a key among the maps that get the same responses.
func (m *Map) sharedName(k key) string {
	return fmt.Sprintf("identity 1 %s provision=%t %s", m.config.Client.BaseURL(), m.config.Provision, k.text)
}

func (m *Map) pack(e *entry) sharedcache.Value {
	ttl := m.ttl(e)
	data, err := json.Marshal(record{e.identity, e.missing, m.wall().Add(ttl)})
	if err != nil {
		return sharedcache.Value{} // not cached
	}
	return sharedcache.Value{Data: data, TTL: ttl}
}

// unpack returns nil for what is unreadable or expired.
func (m *Map) unpack(value []byte) *entry {
	var r record
	if json.Unmarshal(value, &r) != nil || !r.Missing && r.Identity.ID == "" {
		return nil
	}
	e := &entry{identity: r.Identity, missing: r.Missing}
	left := min(r.Until.Sub(m.wall()), m.ttl(e))
	if left <= 0 {
		return nil
	}
	e.until = m.after(left)
	return e
}

func (m *Map) wall() time.Time {
	if m.config.Now != nil {
		return m.config.Now()
	}
	return time.Now()
}
