package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/globusauth/globusauth/tokens"
)

const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700

	tempSuffix = ".tmp"

	root = "0" // the user
)

// File is a file of tokens. It is a path whose symlinks are resolved; the file
// need not exist.
type File struct {
	Path        string
	LockTimeout time.Duration

	system System
	sealer Sealer
}

// Sealer encrypts what a store writes into its files and the temporary files beside them.
type Sealer interface {
	// Seal fails if the key of the file at path cannot be had; it creates one that does not exist.
	Seal(path string, content []byte) ([]byte, error)
	// Open fails with [tokens.ErrUnreadable] where Seal did not make the content. No sealed content ends in a zero byte.
	Open(path string, sealed []byte) ([]byte, error)
}

// plain seals nothing.
type plain struct{}

func (plain) Seal(_ string, content []byte) ([]byte, error) { return content, nil }
func (plain) Open(_ string, content []byte) ([]byte, error) { return content, nil }

// System replaces system calls in tests. Nil fields are the real ones.
type System struct {
	TryLock func(*flock.Flock) (bool, error)
	Sync    func(*os.File) error
	Rename  func(from, to string) error
}

func (s System) withDefaults() System {
	if s.TryLock == nil {
		s.TryLock = (*flock.Flock).TryLock
	}
	if s.Sync == nil {
		s.Sync = (*os.File).Sync
	}
	if s.Rename == nil {
		s.Rename = rename
	}
	return s
}

func (f File) dir() string { return filepath.Dir(f.Path) }

// resolve follows symlinks that belong to the user, so that they survive when
// the file is replaced.
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
		if owner := foreignOwner(info); owner != "" && owner != root {
			return "", fmt.Errorf("%w: %s is a symlink that belongs to user %s: remove it", tokens.ErrUnsafe, path, owner)
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

// Check reports whether other users could read or replace the file. A missing
// file in a safe directory is safe.
func (f File) Check() error {
	if err := checkDir(f.dir()); err != nil {
		return err
	}
	info, err := os.Lstat(f.Path)
	if err == nil {
		err = checkFile(f.Path, info)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// prepare creates the directory of the file, if it is missing, and checks both.
func (f File) prepare() error {
	if err := os.MkdirAll(f.dir(), dirMode); err != nil {
		return err
	}
	return f.Check()
}

// Read returns the content of a safe file, cut after one byte more than most.
func (f File) Read(most int64) ([]byte, error) {
	if err := checkDir(f.dir()); err != nil {
		return nil, err
	}
	content, err := readFile(f.Path, most)
	if err != nil || len(content) == 0 {
		return content, err
	}
	return f.sealer.Open(f.Path, content)
}

// readFile reads a safe file. It follows no symlink and does not wait for the writer of a named pipe.
func readFile(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0) //nolint:gosec // the file is the caller's to name
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil {
		err = checkFile(path, info)
	}
	if err != nil {
		return nil, err
	}
	content := bytes.NewBuffer(make([]byte, 0, min(info.Size(), most)+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(file, most+1))
	return content.Bytes(), err
}

// tighten closes the user's own file to others.
func tighten(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || othersMay(info, 0o077) == 0 || foreignOwner(info) != "" {
		return nil //nolint:nilerr // the checks report it
	}
	return os.Chmod(path, fileMode)
}

func checkFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", tokens.ErrUnsafe, path)
	}
	if owner := foreignOwner(info); owner != "" {
		return fmt.Errorf("%w: %s belongs to user %s: run this as that user, or change the owner with chown", tokens.ErrUnsafe, path, owner)
	}
	if othersMay(info, 0o077) != 0 {
		return fmt.Errorf("%w: others can use %s (mode %04o): run chmod 600 on it, and log in again if another user may have read it",
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
	if owner := foreignOwner(info); owner != "" && owner != root {
		return fmt.Errorf("%w: the directory %s belongs to user %s: choose another, or take it over with chown", tokens.ErrUnsafe, dir, owner)
	}
	if othersMay(info, 0o022) != 0 {
		return fmt.Errorf("%w: others can write to the directory %s (mode %04o): run chmod go-w on it", tokens.ErrUnsafe, dir, info.Mode().Perm())
	}
	return nil
}

// Temp is a temporary file beside a file, under a random name. Another process may remove it
// where locks exclude nothing.
type Temp struct {
	*os.File

	target File
}

// Temp creates an empty temporary file.
func (f File) Temp() (*Temp, error) {
	file, err := os.CreateTemp(f.dir(), "."+filepath.Base(f.Path)+".*"+tempSuffix)
	return &Temp{file, f}, err
}

// Move renames the file over its target.
func (t *Temp) Move() error {
	_ = t.Close() // Windows renames no open file
	return t.target.system.Rename(t.Name(), t.target.Path)
}

// Remove closes and removes the file, unless it was moved.
func (t *Temp) Remove() {
	_ = t.Close()
	_ = os.Remove(t.Name())
}

// sweep removes the temporary files of killed processes, and SQLite's journals of them. The lock must be held.
func (f File) sweep() error {
	entries, err := os.ReadDir(f.dir())
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), "."+filepath.Base(f.Path)+".")
		if ok && strings.Contains(rest, tempSuffix) {
			_ = os.Remove(filepath.Join(f.dir(), entry.Name()))
		}
	}
	return err
}

// Replace replaces the file durably: after a failure or a crash it holds all of the
// old content or all of the new. The error is [fs.ErrNotExist] if another process
// removed the temporary file.
func (f File) Replace(content []byte) error {
	content, err := f.sealer.Seal(f.Path, content)
	if err != nil {
		return err
	}
	t, err := f.Temp()
	if err != nil {
		return err
	}
	defer t.Remove()
	if _, err := t.Write(content); err != nil {
		return err
	}
	if err := f.system.Sync(t.File); err != nil {
		return err
	}
	if err := t.Move(); err != nil {
		return err
	}
	return syncDir(f.dir(), f.system.Sync)
}
