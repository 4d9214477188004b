package lease_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

var (
	errCut       = errors.New("connection reset")
	errForbidden = errors.New("permission denied")
)

// memory is a backend in memory, with faults.
type memory struct {
	// before and after a statement is carried out; an error from after means that the response was lost.
	before, after func(ctx context.Context, statement string) error

	mu      sync.Mutex
	entries map[tokens.Key]*entry
	sent    map[string]int
}

type entry struct {
	data    []byte
	version string
	until   time.Time
}

var _ lease.Backend = (*memory)(nil)

func newMemory() *memory {
	nothing := func(context.Context, string) error { return nil }
	return &memory{before: nothing, after: nothing, entries: map[tokens.Key]*entry{}, sent: map[string]int{}}
}

// statement carries one out, with the faults around it.
func (m *memory) statement(ctx context.Context, name string, carryOut func()) error {
	if err := errors.Join(ctx.Err(), m.before(ctx, name)); err != nil {
		return err
	}
	m.mu.Lock()
	m.sent[name]++
	carryOut()
	m.mu.Unlock()
	return m.after(ctx, name)
}

func (m *memory) Load(ctx context.Context, key tokens.Key) (data []byte, err error) {
	err = m.statement(ctx, "load", func() {
		if e := m.entries[key]; e != nil {
			data = e.data
		}
	})
	return data, err
}

func (m *memory) Acquire(ctx context.Context, key tokens.Key, version string, length time.Duration) (data []byte, acquired bool, err error) {
	err = m.statement(ctx, "acquire", func() {
		e := m.entries[key]
		if e == nil {
			e = &entry{}
			m.entries[key] = e
		}
		if e.version == version || !time.Now().Before(e.until) {
			e.version, e.until = version, time.Now().Add(length)
			data, acquired = e.data, true
		}
	})
	return data, acquired && err == nil, err
}

// own returns the entry of a version.
func (m *memory) own(key tokens.Key, version string) *entry {
	if e := m.entries[key]; e != nil && e.version == version {
		return e
	}
	return nil
}

func (m *memory) Extend(ctx context.Context, key tokens.Key, version string, length time.Duration) error {
	return m.statement(ctx, "extend", func() {
		if e := m.own(key, version); e != nil && !e.until.IsZero() {
			e.until = time.Now().Add(length)
		}
	})
}

func (m *memory) Commit(ctx context.Context, key tokens.Key, version string, data []byte) (stored bool, err error) {
	err = m.statement(ctx, "commit", func() {
		e := m.own(key, version)
		if stored = e != nil; !stored {
			return
		}
		if e.data, e.until = data, (time.Time{}); data == nil {
			delete(m.entries, key)
		}
	})
	return stored && err == nil, err
}

func (m *memory) Release(ctx context.Context, key tokens.Key, version string) error {
	return m.statement(ctx, "release", func() {
		if e := m.own(key, version); e != nil {
			if e.until = (time.Time{}); e.data == nil {
				delete(m.entries, key)
			}
		}
	})
}

func (m *memory) Keys(ctx context.Context) (keys []tokens.Key, err error) {
	err = m.statement(ctx, "keys", func() {
		for key, e := range m.entries {
			if e.data != nil {
				keys = append(keys, key)
			}
		}
	})
	return keys, err
}

func (*memory) Permanent(err error) bool { return errors.Is(err, errForbidden) }
