package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const openFlags = 0

// appDir is the directory of the official Python SDK.
func appDir() (string, error) {
	base, err := os.UserCacheDir() // %LOCALAPPDATA%
	if err != nil {
		base, err = os.UserConfigDir() // %APPDATA%
	}
	if err != nil {
		base, err = os.UserHomeDir()
		base = filepath.Join(base, "AppData", "Local")
	}
	return filepath.Join(base, "globus", "app"), err
}

// On Windows files under a user's profile get the profile's access list.
func foreignOwner(fs.FileInfo) string                    { return "" }
func othersMay(_ fs.FileInfo, _ fs.FileMode) fs.FileMode { return 0 }

// rename retries for a second, because Windows cannot replace a file that another
// process has open.
func rename(from, to string) error {
	const errorSharingViolation = syscall.Errno(32)
	var err error
	for range 100 {
		err = os.Rename(from, to)
		if !errors.Is(err, errorSharingViolation) && !errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
	return err
}

func syncDir(string, func(*os.File) error) error { return nil }
