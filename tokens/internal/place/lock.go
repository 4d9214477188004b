package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/globusauth/globusauth/tokens"
)

// retryDelay is how often a lock that another process holds is tried.
const retryDelay = 5 * time.Millisecond

// lock makes the users of a file take turns, by a lock file beside it. It waits for
// the lock as long as patience and ctx allow. The lock of a process that dies is
// released by the system; where the file system has no locks, see [exclusive].
func (s System) lock(ctx context.Context, file string, patience time.Duration) (unlock func(), err error) {
	path := file + ".lock"
	limited, cancel := context.WithTimeoutCause(ctx, patience, tokens.ErrLocked)
	defer cancel()
	again := time.NewTicker(retryDelay)
	defer again.Stop()
	for {
		if limited.Err() != nil {
			return nil, gaveUp(limited, path, patience)
		}
		if unlock, err := s.try(path); unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-again.C:
		case <-limited.Done():
		}
	}
}

func gaveUp(ctx context.Context, path string, patience time.Duration) error {
	if cause := context.Cause(ctx); !errors.Is(cause, tokens.ErrLocked) {
		return fmt.Errorf("wait for the lock %s: %w", path, cause)
	}
	return fmt.Errorf("%w %s for more than %v%s: let it finish, or end it; the lock ends with it", tokens.ErrLocked, path, patience, holder(path))
}

// try locks without waiting. No unlock and no error: another has the lock.
func (s System) try(path string) (unlock func(), err error) {
	// A pipe must not be waited for, nor a link followed.
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|openFlags), flock.SetPermissions(fileMode))
	locked, err := s.tryLock(lock)
	switch {
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
		return exclusive(path)
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !locked:
		return nil, nil
	}
	unlock = func() { _ = lock.Unlock() } // closes the file, which releases the lock in any case
	info, err := lock.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: the lock %s is not a regular file: remove it", tokens.ErrUnsafe, path)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	if !names(path, info) { // it was removed meanwhile: another may have locked a new one
		unlock()
		return nil, nil
	}
	return unlock, nil
}

// names reports whether the name still stands for the file that was opened.
func names(path string, opened fs.FileInfo) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, opened)
}
