package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replacement is a file that will take the place of another, with room reserved
// on the disk before anything is done that cannot be undone.
type Replacement struct {
	target string
	temp   *os.File
	done   bool
}

// Reserve makes a file beside target with room for size bytes. The lock of the
// target must be held: a temporary file that a killed process left is removed.
func Reserve(target string, size int) (*Replacement, error) {
	r, err := reserve(target, size)
	if err != nil {
		return nil, fmt.Errorf("nothing was changed, since there is no place to write: %w", err)
	}
	return r, nil
}

func reserve(target string, size int) (*Replacement, error) {
	name := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".tmp")
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	temp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the file is the caller's to name
	if err != nil {
		return nil, err
	}
	r := &Replacement{target: target, temp: temp}
	if _, err := temp.Write(make([]byte, size)); err != nil {
		r.Discard()
		return nil, err
	}
	return r, nil
}

// Commit writes the content and puts the file in its place, durably: afterwards
// the target holds all of the old or all of the new, whatever happens.
func (r *Replacement) Commit(content []byte) error {
	defer r.Discard()
	if _, err := r.temp.WriteAt(content, 0); err != nil {
		return err
	}
	if err := r.temp.Truncate(int64(len(content))); err != nil {
		return err
	}
	if err := r.temp.Sync(); err != nil {
		return err
	}
	if err := r.temp.Close(); err != nil {
		return err
	}
	return r.move()
}

// Fill lets somebody else write the file and flush it, and puts it in its place.
func (r *Replacement) Fill(write func(path string) error) error {
	defer r.Discard()
	if err := r.temp.Close(); err != nil {
		return err
	}
	if err := write(r.temp.Name()); err != nil {
		return err
	}
	return r.move()
}

func (r *Replacement) move() error {
	if err := rename(r.temp.Name(), r.target); err != nil {
		return err
	}
	r.done = true
	return syncDir(filepath.Dir(r.target))
}

// Discard removes the file unless it took its place. It may be called again.
func (r *Replacement) Discard() {
	if r.done {
		return
	}
	r.done = true
	_ = r.temp.Close()
	_ = os.Remove(r.temp.Name())
}
