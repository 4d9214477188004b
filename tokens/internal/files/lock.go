package files

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

const (
	// retryDelay is the interval at which a lock that another process holds is tried.
	retryDelay = 5 * time.Millisecond
	// abandonedAfter is the age at which an exclusive lock file counts as that of a
	// dead process. A renewal, for which it is held, ends after a minute by default.
	abandonedAfter = 2 * time.Minute
)

// lock locks a lock file beside the file. It waits as long as LockTimeout and ctx
// allow. The system releases the lock of a process that ends; where the file system
// has no locks, see [exclusive].
func (f File) lock(ctx context.Context) (unlock func(), err error) {
	if err := f.prepare(); err != nil {
		return nil, err
	}
	path := f.Path + ".lock"
	limited, cancel := context.WithTimeout(ctx, f.LockTimeout)
	defer cancel()
	for {
		if unlock, err := f.tryLock(path); unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-time.After(retryDelay):
		case <-limited.Done():
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("wait for the lock %s: %w", path, err)
			}
			return nil, fmt.Errorf("%w %s for more than %v: let it finish, or end it; the lock ends with it, and a file %sed after %v",
				tokens.ErrLocked, path, f.LockTimeout, path, abandonedAfter)
		}
	}
}

// tryLock locks without waiting. It returns neither unlock nor an error if another
// process has the lock.
func (f File) tryLock(path string) (unlock func(), err error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|openFlags), flock.SetPermissions(fileMode))
	locked, err := f.system.TryLock(lock)
	switch {
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
		return exclusive(path + "ed")
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !locked:
		return nil, nil
	}
	info, err := lock.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: the lock %s is not a regular file: remove it", tokens.ErrUnsafe, path)
	}
	if err != nil || !same(path, info) { // removed meanwhile: another process may have locked a new one
		_ = lock.Unlock()
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil // Unlock closes the file, which releases the lock in any case
}

// exclusive is the lock where the file system has none: a file that only one
// process can create. Others remove it when it is older than
// abandonedAfter. Two that remove it at the same moment can both go on; nothing is
// destroyed then, and the later of the two updates stays.
func exclusive(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the file is the caller's to name
	switch {
	case errors.Is(err, fs.ErrExist):
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			removeSame(path, info)
		}
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("lock: the file system has no locks, and: %w", err)
	}
	info, err := file.Stat()
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { removeSame(path, info) }, nil
}

// same reports whether the name still stands for the file that was opened.
func same(path string, opened fs.FileInfo) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, opened)
}

func removeSame(path string, opened fs.FileInfo) {
	if same(path, opened) {
		_ = os.Remove(path)
	}
}
