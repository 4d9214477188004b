package tokens

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a [Store] in the memory of the process. It is safe for concurrent use.
type Memory struct {
	mu sync.Mutex // guards entries and the sets and counts in them
	// entries holds a key while something is stored or an update runs.
	entries map[Key]*memoryEntry
}

type memoryEntry struct {
	set   Set
	users int           // updates that run or wait
	turn  chan struct{} // holds one value while an update runs
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{entries: make(map[Key]*memoryEntry)}
}

// Load returns what is stored under key. See [Store].
func (m *Memory) Load(ctx context.Context, key Key) (Set, error) {
	key, err := key.Normal()
	if err != nil {
		return Set{}, fmt.Errorf("tokens: load from memory: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Set{}, fmt.Errorf("tokens: load from memory: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if entry := m.entries[key]; entry != nil {
		return entry.set, nil
	}
	return Set{}, nil
}

// Update replaces what is stored under key by what fn makes of it. See [Store].
func (m *Memory) Update(ctx context.Context, key Key, fn func(current Set) (Set, error)) (Set, error) {
	key, err := key.Normal()
	if err != nil {
		return Set{}, fmt.Errorf("tokens: update memory: %w", err)
	}
	entry := m.enter(key)
	defer m.leave(key, entry)
	if err := ctx.Err(); err != nil {
		return Set{}, fmt.Errorf("tokens: update memory: %w", err)
	}
	select {
	case entry.turn <- struct{}{}:
		defer func() { <-entry.turn }()
	case <-ctx.Done():
		return Set{}, fmt.Errorf("tokens: update memory: wait for another update: %w", ctx.Err())
	}
	m.mu.Lock()
	current := entry.set
	m.mu.Unlock()
	next, err := fn(current)
	if err != nil {
		return Set{}, fmt.Errorf("tokens: update memory: %w", err)
	}
	m.mu.Lock()
	entry.set = next.with(nil)
	m.mu.Unlock()
	return next, nil
}

func (m *Memory) enter(key Key) *memoryEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry := m.entries[key]
	if entry == nil {
		entry = &memoryEntry{turn: make(chan struct{}, 1)}
		m.entries[key] = entry
	}
	entry.users++
	return entry
}

func (m *Memory) leave(key Key, entry *memoryEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry.users--
	if entry.users == 0 && entry.set.held == nil {
		delete(m.entries, key)
	}
}

// Delete removes what is stored under key. See [Store].
func (m *Memory) Delete(ctx context.Context, key Key) error {
	_, err := m.Update(ctx, key, func(Set) (Set, error) { return Set{}, nil })
	return err
}

// Keys returns the keys under which something is stored. See [Store].
func (m *Memory) Keys(ctx context.Context) ([]Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("tokens: list memory: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []Key
	for key, entry := range m.entries {
		if entry.set.held != nil {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	return keys, nil
}
