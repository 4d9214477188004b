package login

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

// Sessions keeps what a [Web] must remember between requests: who is logged in,
// which callbacks have been used, and for 30 s what the service said of a session. A login that was only started needs no room. Keys
// are up to 64 letters, digits, '-' and '_'. Data holds secrets.
//
// Several processes that serve one portal need one Sessions between them. With
// Redis, Add is SET with NX and PXAT, Get is GET and Take is GETDEL; with SQL, Add is
// INSERT ... ON CONFLICT DO NOTHING and Take is DELETE ... RETURNING.
type Sessions interface {
	// Add stores data under key until expiry, unless something is stored there
	// already. Of several callers at once, one adds.
	Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error)
	// Get returns what is stored under key; nil if nothing is, or it has expired.
	Get(ctx context.Context, key string) ([]byte, error)
	// Take is Get, and removes what it returns. Of several callers at once,
	// one gets it.
	Take(ctx context.Context, key string) ([]byte, error)
}

// ErrFull says that a [MemorySessions] holds as much as it may.
var ErrFull = errors.New("too many sessions are held in memory")

const (
	defaultMaxSessions = 100_000
	sweepPause         = time.Minute
)

// MemorySessions are the [Sessions] of one process. They end with it. The zero value
// is ready; it is safe for concurrent use.
type MemorySessions struct {
	// Limit is how many sessions, marks of the last logins and introspections for
	// Web.Require are held together. Zero means 100,000.
	Limit int

	now func() time.Time // nil means time.Now

	mu      sync.Mutex // guards what follows
	entries map[string]memorySession
	swept   time.Time
}

type memorySession struct {
	data   func() string // a function, so that printing does not show it
	expiry time.Time
}

// Add stores data. It fails with [ErrFull] when there is no room.
func (m *MemorySessions) Add(_ context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, limit := m.time(), cmp.Or(m.Limit, defaultMaxSessions)
	if now.Sub(m.swept) >= sweepPause || len(m.entries) >= limit {
		m.swept = now
		maps.DeleteFunc(m.entries, func(_ string, entry memorySession) bool { return !now.Before(entry.expiry) })
	}
	if m.get(key) != nil {
		return false, nil
	}
	if len(m.entries) >= limit {
		return false, ErrFull
	}
	if m.entries == nil {
		m.entries = map[string]memorySession{}
	}
	kept := string(data)
	m.entries[key] = memorySession{data: func() string { return kept }, expiry: expiry}
	return true, nil
}

// Get returns what is stored.
func (m *MemorySessions) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.get(key), nil
}

// Take returns what is stored, and removes it.
func (m *MemorySessions) Take(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.get(key)
	delete(m.entries, key)
	return data, nil
}

func (m *MemorySessions) get(key string) []byte {
	if entry, found := m.entries[key]; found && m.time().Before(entry.expiry) {
		return []byte(entry.data())
	}
	return nil
}

func (m *MemorySessions) time() time.Time {
	if m.now == nil {
		return time.Now()
	}
	return m.now()
}
