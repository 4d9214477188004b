package place

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/globusauth/globusauth/tokens"
)

// retryDelay is how often a lock that another process holds is tried.
const retryDelay = 5 * time.Millisecond

// Locks makes the users of a file take turns: goroutines by a queue, processes by
// a lock file beside it. The lock of a process that dies is released by the system. The
// zero value is ready, and safe for concurrent use.
type Locks struct {
	mu     sync.Mutex // guards queues and the counts in them
	queues map[string]*queue
}

type queue struct {
	users int
	turn  chan struct{} // holds one value while somebody has the lock
}

// Lock waits for the lock of the file, at most as long as patience and ctx allow.
func (l *Locks) Lock(ctx context.Context, file string, patience time.Duration) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, patience, tokens.ErrLocked)
	defer cancel()
	path := file + ".lock"
	gaveUp := func() error {
		if cause := context.Cause(limited); !errors.Is(cause, tokens.ErrLocked) {
			return fmt.Errorf("wait for the lock %s: %w", path, cause)
		}
		return fmt.Errorf("%w %s for more than %v: let it finish, or end it; the lock ends with it", tokens.ErrLocked, path, patience)
	}
	q := l.enter(file)
	select {
	case q.turn <- struct{}{}:
	case <-limited.Done():
		l.leave(file, q)
		return nil, gaveUp()
	}
	lock := flock.New(path, flock.SetPermissions(fileMode))
	locked, err := lock.TryLockContext(limited, retryDelay)
	if err != nil || !locked {
		<-q.turn
		l.leave(file, q)
		if limited.Err() != nil {
			return nil, gaveUp()
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() {
		_ = lock.Unlock() // closes the file, which releases the lock in any case
		<-q.turn
		l.leave(file, q)
	}, nil
}

func (l *Locks) enter(file string) *queue {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queues == nil {
		l.queues = make(map[string]*queue)
	}
	q := l.queues[file]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		l.queues[file] = q
	}
	q.users++
	return q
}

func (l *Locks) leave(file string, q *queue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(l.queues, file)
	}
}
