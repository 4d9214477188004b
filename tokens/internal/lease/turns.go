package lease

import (
	"context"
	"sync"

	"github.com/globusauth/globusauth/tokens"
)

// turns lets the updates of one process take turns, so that only one of them asks the database.
type turns struct {
	mu      sync.Mutex
	waiting map[tokens.Key]*turn
}

type turn struct {
	users int           // that run or wait
	token chan struct{} // holds one value while an update runs
}

// enter waits for the turn of a key.
func (t *turns) enter(ctx context.Context, key tokens.Key) (leave func(), err error) {
	t.mu.Lock()
	own := t.waiting[key]
	if own == nil {
		own = &turn{token: make(chan struct{}, 1)}
		t.waiting[key] = own
	}
	own.users++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(t.waiting, key)
		}
	}
	select {
	case own.token <- struct{}{}:
		return func() { <-own.token; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}
