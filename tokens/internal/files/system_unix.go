//go:build unix

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// openFlags keep an open from following a symlink or waiting for a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// appDir is the directory of the official Python SDK.
func appDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		if known, err := user.Current(); err == nil {
			home = known.HomeDir
		}
	}
	switch {
	case home == "":
		return "", errors.New("HOME is not set, and the user database has no home directory")
	case !filepath.IsAbs(home):
		return "", fmt.Errorf("the home directory %q is not an absolute path: correct HOME", home)
	}
	return filepath.Join(home, ".globus", "app"), nil
}

// foreignOwner returns the ID of the owner if that is another user.
func foreignOwner(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int64(stat.Uid) == int64(os.Geteuid()) {
		return ""
	}
	return strconv.FormatUint(uint64(stat.Uid), 10)
}

// othersMay returns the permissions in mask that others have.
func othersMay(info fs.FileInfo, mask fs.FileMode) fs.FileMode { return info.Mode().Perm() & mask }

func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes a rename durable.
func syncDir(dir string, sync func(*os.File) error) error {
	d, err := os.Open(dir) //nolint:gosec // the directory is the caller's to name
	if err != nil {
		return err
	}
	err = sync(d)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // the file system does not sync directories
	}
	return errors.Join(err, d.Close())
}
