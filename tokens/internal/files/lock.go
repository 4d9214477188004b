package files

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	abandonedAfter = 10 * time.Minute
)

// lock locks a lock file beside the file. It waits as long as LockTimeout and ctx
// allow. The system releases the lock of a process that ends; where the file system
// has no locks, see [exclusive].
func (f File) lock(ctx context.Context) (unlock func(), err error) {
	if err := f.prepare(); err != nil {
		return nil, err
	}
	path := f.Path + ".lock"
	limited, cancel := context.WithTimeoutCause(ctx, f.LockTimeout, tokens.ErrLocked)
	defer cancel()
	retry := time.NewTicker(retryDelay)
	defer retry.Stop()
	for {
		switch cause := context.Cause(limited); {
		case errors.Is(cause, tokens.ErrLocked):
			return nil, fmt.Errorf("%w %s for more than %v%s: let it finish, or end it; the lock ends with it",
				tokens.ErrLocked, path, f.LockTimeout, readOwner(path+"ed"))
		case cause != nil:
			return nil, fmt.Errorf("wait for the lock %s: %w", path, cause)
		}
		if unlock, err := f.tryLock(path); unlock != nil || err != nil {
			return unlock, err
		}
		select {
		case <-retry.C:
		case <-limited.Done():
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
// process can create, and that names this process. Others remove it when that
// process is known to be dead on the same machine, or when it is older than
// abandonedAfter. Two that remove it at the same moment can both go on; nothing is
// destroyed then, and the later of the two updates stays.
func exclusive(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the file is the caller's to name
	if errors.Is(err, fs.ErrExist) {
		if o := readOwner(path); o.dead() {
			removeSame(path, o.info)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock: the file system has no locks, and: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		_, err = file.WriteString(ownerText(os.Getpid()))
	}
	release = func() { removeSame(path, info) }
	if err = errors.Join(err, file.Close()); err != nil {
		release()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return release, nil
}

func ownerText(pid int) string { return fmt.Sprintf("%d %s\n", pid, machine()) }

// machine names the space in which process IDs count. It is empty if it has no name.
func machine() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	namespace, _ := os.Readlink("/proc/self/ns/pid") // Linux: containers of one name
	return host + namespace
}

// owner is what an exclusive lock file says.
type owner struct {
	info    fs.FileInfo // nil if it cannot be read
	pid     int
	machine string
}

func readOwner(path string) (o owner) {
	file, info, err := open(path)
	if err != nil {
		return o
	}
	defer func() { _ = file.Close() }()
	o.info = info
	_, _ = fmt.Fscan(io.LimitReader(file, 512), &o.pid, &o.machine)
	return o
}

func (o owner) dead() bool {
	if o.info == nil {
		return false
	}
	if time.Since(o.info.ModTime()) > abandonedAfter {
		return true
	}
	if o.pid <= 0 || o.machine == "" || o.machine != machine() {
		return false
	}
	process, err := os.FindProcess(o.pid)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }()
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func (o owner) String() string {
	if o.pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d on %q; the lock counts as abandoned after %v)", o.pid, o.machine, abandonedAfter)
}
