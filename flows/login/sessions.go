package login

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Sessions keeps what a [Web] must remember between requests: who is logged in, and
// which callbacks have been used. A login that was only started needs no room. Keys
// are up to 64 letters, digits, '-' and '_'. Data holds secrets.
//
// Several processes that serve one portal need one Sessions between them. With
// Redis, Add is SET with NX and PXAT, Get is GET and Take is GETDEL; with SQL, Add is
// INSERT ... ON CONFLICT DO NOTHING and Take is DELETE ... RETURNING.
type Sessions interface {
	// Add stores data under key until expiry, unless something is stored there
	// already. Of several callers at once, one adds.
	Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error)
	// Get returns what is stored under key; nil if nothing is, or not any more.
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

// MemorySessions are the [Sessions] of one process. They end with it. Make one
// with [NewMemorySessions]; it is safe for concurrent use.
type MemorySessions struct {
	limit int
	now   func() time.Time

	mu      sync.Mutex // guards what follows
	entries map[string]memorySession
	swept   time.Time
}

type memorySession struct {
	data   func() []byte // a function, so that printing does not show it
	expiry time.Time
}

var _ Sessions = (*MemorySessions)(nil)

// NewMemorySessions returns an empty store for at most limit sessions and marks of the
// last logins together, 100,000 if limit is zero. Now is the clock; nil means time.Now.
func NewMemorySessions(limit int, now func() time.Time) *MemorySessions {
	if limit <= 0 {
		limit = defaultMaxSessions
	}
	if now == nil {
		now = time.Now
	}
	return &MemorySessions{limit: limit, now: now, entries: map[string]memorySession{}}
}

// Add stores data. It fails with [ErrFull] when there is no room.
func (m *MemorySessions) Add(_ context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if now.Sub(m.swept) >= sweepPause || len(m.entries) >= m.limit {
		m.swept = now
		for key, entry := range m.entries {
			if !now.Before(entry.expiry) {
				delete(m.entries, key)
			}
		}
	}
	if entry, found := m.entries[key]; found && now.Before(entry.expiry) {
		return false, nil
	} else if !found && len(m.entries) >= m.limit {
		return false, fmt.Errorf("login: add session: %w", ErrFull)
	}
	kept := append([]byte(nil), data...)
	m.entries[key] = memorySession{data: func() []byte { return kept }, expiry: expiry}
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
	entry, found := m.entries[key]
	if !found || !m.now().Before(entry.expiry) {
		return nil
	}
	return append([]byte(nil), entry.data()...)
}
