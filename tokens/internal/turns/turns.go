// Package turns lets the updates of one process take turns, each key for itself.
package turns

import (
	"context"
	"fmt"
	"sync"
)

// Turns has a turn for each key. It holds nothing of a key that no caller uses. The zero Turns is ready to use.
type Turns[K comparable] struct {
	mu   sync.Mutex
	keys map[K]*turn
}

type turn struct {
	users int           // that run or wait
	token chan struct{} // holds one value while an update runs
}

// Enter waits for the turn of a key, no longer than ctx. The caller calls leave when it is done.
func (t *Turns[K]) Enter(ctx context.Context, key K) (leave func(), err error) {
	t.mu.Lock()
	own := t.keys[key]
	if own == nil {
		own = &turn{token: make(chan struct{}, 1)}
		if t.keys == nil {
			t.keys = map[K]*turn{}
		}
		t.keys[key] = own
	}
	own.users++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.keys, key)
		}
	}
	if err = ctx.Err(); err == nil {
		select {
		case own.token <- struct{}{}:
			return func() { <-own.token; forget() }, nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	forget()
	return nil, fmt.Errorf("wait for another update: %w", err)
}
