package place

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// abandonedAfter is the age at which an exclusive lock file counts as that of a
// dead process. A renewal, for which it is held, ends after a minute by default.
const abandonedAfter = 10 * time.Minute

// exclusive is the lock where the file system has none: a file beside the lock
// that only one process can create, and that says which process did. It is
// removed by others when that process is known to be dead, on the same machine, or when
// it is older than abandonedAfter. Two that find it at the same moment can both go
// on; nothing is destroyed then, and the later of the two updates stays.
func exclusive(lock string) (release func(), err error) {
	path := lock + "ed"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the file is the caller's to name
	if errors.Is(err, fs.ErrExist) {
		return nil, bury(path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock: the file system has no locks, and: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteString(OwnerText(os.Getpid()))
	}
	err = errors.Join(err, f.Close())
	release = func() {
		if names(path, info) {
			_ = os.Remove(path)
		}
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return release, nil
}

// OwnerText is the content of an exclusive lock file of a process on this machine.
func OwnerText(pid int) string { return fmt.Sprintf("%d %s\n", pid, machine()) }

// owner is what an exclusive lock file says.
type owner struct {
	info    fs.FileInfo
	pid     int
	machine string
}

func readOwner(path string) (owner, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0) //nolint:gosec // the file is the caller's to name
	if err != nil {
		return owner{}, err
	}
	defer func() { _ = f.Close() }()
	var o owner
	if o.info, err = f.Stat(); err != nil {
		return owner{}, err
	}
	text := make([]byte, 512)
	n, _ := io.ReadFull(f, text)
	pid, machine, _ := strings.Cut(strings.TrimSuffix(string(text[:n]), "\n"), " ")
	o.machine = machine
	_, _ = fmt.Sscan(pid, &o.pid)
	return o, nil
}

// bury removes the lock of a process that is dead.
func bury(path string) error {
	o, err := readOwner(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("lock: %w", err)
	case time.Since(o.info.ModTime()) > abandonedAfter:
	case o.pid > 0 && o.machine != "" && o.machine == machine() && gone(o.pid):
	default:
		return nil
	}
	removeSame(path, o.info)
	return nil
}

// holder names the process that an exclusive lock file is of.
func holder(lock string) string {
	o, err := readOwner(lock + "ed")
	if err != nil || o.pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d on %q, by the file %sed, which counts as abandoned after %v)", o.pid, o.machine, lock, abandonedAfter)
}
