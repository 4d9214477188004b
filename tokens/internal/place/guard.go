package place

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/globusauth/globusauth/tokens"
)

const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)

// resolve returns the file that path stands for: path itself, or what symlinks
// of the user's own lead to, so that they survive when the file is replaced.
func resolve(path string) (string, error) {
	const most = 40 // as many as Linux follows
	for range most {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if owner, ok := foreignOwner(info); ok && owner != 0 {
			return "", fmt.Errorf("%w: %s is a symlink that belongs to user %d: remove it", tokens.ErrUnsafe, path, owner)
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s: more than %d symlinks", path, most)
}

// prepare makes the directory of a file, if need be, and checks both.
func prepare(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), dirMode); err != nil {
		return err
	}
	return Check(file)
}

// exists reports whether the directory of a file is there.
func exists(file string) bool {
	_, err := os.Stat(filepath.Dir(file))
	return !errors.Is(err, fs.ErrNotExist)
}

// Check says whether the file and its directory are safe from others. A file
// that is not there is.
func Check(file string) error {
	if err := checkDir(filepath.Dir(file)); err != nil {
		return err
	}
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return checkFile(file, info)
}

// ReadFile reads a file after the checks, up to most bytes and one more. It never
// waits, as opening a named pipe would.
func ReadFile(file string, most int64) ([]byte, fs.FileInfo, error) {
	if err := checkDir(filepath.Dir(file)); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(file, os.O_RDONLY|openFlags, 0) //nolint:gosec // the file is the caller's to name
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil {
		err = checkFile(file, info)
	}
	if err != nil {
		return nil, nil, err
	}
	content := bytes.NewBuffer(make([]byte, 0, min(info.Size(), most)+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(f, most+1))
	return content.Bytes(), info, err
}

// tighten closes a file of the user's own to others.
func tighten(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || othersMay(info, 0o077) == 0 {
		return nil //nolint:nilerr // what is wrong with it is for the checks to say
	}
	if _, foreign := foreignOwner(info); foreign {
		return nil
	}
	return os.Chmod(path, fileMode)
}

func checkFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", tokens.ErrUnsafe, path)
	}
	if owner, ok := foreignOwner(info); ok {
		return fmt.Errorf("%w: %s belongs to user %d: run this as that user, or give the file back with chown", tokens.ErrUnsafe, path, owner)
	}
	if mode := othersMay(info, 0o077); mode != 0 {
		return fmt.Errorf("%w: others can use %s (mode %04o): run chmod 600 on it, and log in again if somebody may have read it",
			tokens.ErrUnsafe, path, info.Mode().Perm())
	}
	return nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if owner, ok := foreignOwner(info); ok && owner != 0 {
		return fmt.Errorf("%w: the directory %s belongs to user %d: choose another, or take it over with chown", tokens.ErrUnsafe, dir, owner)
	}
	if mode := othersMay(info, 0o022); mode != 0 {
		return fmt.Errorf("%w: others can write to the directory %s (mode %04o): run chmod go-w on it", tokens.ErrUnsafe, dir, info.Mode().Perm())
	}
	return nil
}
