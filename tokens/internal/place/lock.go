package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/globusauth/globusauth/tokens"
)

// retryDelay is how often a lock that another process holds is tried.
const retryDelay = 5 * time.Millisecond

// Locks makes the users of a file take turns: goroutines by a queue, processes by
// a lock file beside it. The lock of a process that dies is released by the
// system; where the file system has no locks, see [exclusive]. It is safe for
// concurrent use.
type Locks struct {
	system System

	mu     sync.Mutex // guards queues and the counts in them
	queues map[string]*queue
}

type queue struct {
	users int
	turn  chan struct{} // holds one value while a goroutine has the lock
}

// Lock waits for the lock of the file, at most as long as patience and ctx allow.
func (l *Locks) Lock(ctx context.Context, file string, patience time.Duration) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, patience, tokens.ErrLocked)
	defer cancel()
	path := file + ".lock"
	q := l.enter(file)
	defer func() {
		if err != nil {
			l.leave(file, q)
		}
	}()
	select {
	case q.turn <- struct{}{}:
	case <-limited.Done():
		return nil, gaveUp(limited, path, patience)
	}
	release, err := l.acquire(limited, path)
	if err != nil {
		<-q.turn
		if limited.Err() != nil {
			err = gaveUp(limited, path, patience)
		}
		return nil, err
	}
	return func() {
		release()
		<-q.turn
		l.leave(file, q)
	}, nil
}

func gaveUp(ctx context.Context, path string, patience time.Duration) error {
	if cause := context.Cause(ctx); !errors.Is(cause, tokens.ErrLocked) {
		return fmt.Errorf("wait for the lock %s: %w", path, cause)
	}
	return fmt.Errorf("%w %s for more than %v%s: let it finish, or end it; the lock ends with it", tokens.ErrLocked, path, patience, holder(path))
}

func (l *Locks) acquire(ctx context.Context, path string) (release func(), err error) {
	again := time.NewTicker(retryDelay)
	defer again.Stop()
	for {
		if release, err := l.try(path); release != nil || err != nil {
			return release, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try locks without waiting. No release and no error: another has the lock.
func (l *Locks) try(path string) (release func(), err error) {
	// A pipe must not be waited for, nor a link followed.
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|openFlags), flock.SetPermissions(fileMode))
	locked, err := l.system.tryLock(lock)
	switch {
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
		return exclusive(path)
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !locked:
		return nil, nil
	}
	release = func() { _ = lock.Unlock() } // closes the file, which releases the lock in any case
	info, err := lock.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: the lock %s is not a regular file: remove it", tokens.ErrUnsafe, path)
	}
	if err != nil {
		release()
		return nil, err
	}
	if !names(path, info) { // it was removed meanwhile: another may have locked a new one
		release()
		return nil, nil
	}
	return release, nil
}

// names reports whether the name still stands for the file that was opened.
func names(path string, opened fs.FileInfo) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, opened)
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
