package tokens

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens/internal/turns"
)

// Memory is a [Store] in the memory of the process. It is safe for concurrent use.
type Memory struct {
	updates turns.Turns[Key]

	mu   sync.Mutex  // guards sets
	sets map[Key]Set // none is empty
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{sets: map[Key]Set{}} }

// Load returns what is stored under key. See [Store].
func (m *Memory) Load(ctx context.Context, key Key) (_ Set, err error) {
	defer prefix.Add(&err, "tokens: load from memory")
	if key, err = key.Normal(); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Set{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sets[key], nil
}

// Update replaces what is stored under key by what fn makes of it. See [Store].
func (m *Memory) Update(ctx context.Context, key Key, fn func(current Set) (Set, error)) (_ Set, err error) {
	defer prefix.Add(&err, "tokens: update memory")
	if key, err = key.Normal(); err != nil {
		return Set{}, err
	}
	leave, err := m.updates.Enter(ctx, key)
	if err != nil {
		return Set{}, err
	}
	defer leave()
	m.mu.Lock()
	current := m.sets[key]
	m.mu.Unlock()
	next, err := fn(current)
	if err != nil {
		return Set{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sets[key] = wrap(next.list(), nil); m.sets[key].held == nil {
		delete(m.sets, key)
	}
	return next, nil
}

// Delete removes what is stored under key. See [Store].
func (m *Memory) Delete(ctx context.Context, key Key) error {
	_, err := m.Update(ctx, key, func(Set) (Set, error) { return Set{}, nil })
	return err
}

// Keys returns the keys under which something is stored. See [Store].
func (m *Memory) Keys(ctx context.Context) (_ []Key, err error) {
	defer prefix.Add(&err, "tokens: list memory")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Keys(m.sets), Key.Compare), nil
}
