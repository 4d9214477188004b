package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// System is what the stores ask of the operating system, as far as tests need
// other answers. The zero value is the system itself.
type System struct {
	TryLock func(*flock.Flock) (bool, error)
	Sync    func(*os.File) error
	Rename  func(from, to string) error
}

func (s System) tryLock(lock *flock.Flock) (bool, error) {
	if s.TryLock != nil {
		return s.TryLock(lock)
	}
	return lock.TryLock()
}

func (s System) sync(f *os.File) error {
	if s.Sync != nil {
		return s.Sync(f)
	}
	return f.Sync()
}

func (s System) rename(from, to string) error {
	if s.Rename != nil {
		return s.Rename(from, to)
	}
	return rename(from, to)
}

const tempSuffix = ".tmp"

// Temp is a temporary file beside another file, with a name that no other process
// uses. It is renamed and removed only while
// that still stands for it: where a lock does not lock, another process may have removed it.
type Temp struct {
	system System
	target string
	file   *os.File
	info   fs.FileInfo
}

// Temp makes a temporary file beside target with room for size bytes.
func (s System) Temp(target string, size int) (*Temp, error) {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*"+tempSuffix)
	if err != nil {
		return nil, err
	}
	t := &Temp{system: s, target: target, file: f}
	if t.info, err = f.Stat(); err == nil {
		_, err = f.Write(make([]byte, size))
	}
	if err != nil {
		t.Remove()
		return nil, err
	}
	return t, nil
}

// Name returns the file's name.
func (t *Temp) Name() string { return t.file.Name() }

// Close closes the file, so that it can be opened by its name.
func (t *Temp) Close() { _ = t.file.Close() }

// Write makes content all that the file holds. It is not durable yet.
func (t *Temp) Write(content []byte) error {
	if _, err := t.file.WriteAt(content, 0); err != nil {
		return err
	}
	return t.file.Truncate(int64(len(content)))
}

// Move gives the file another name, in place of the file of that name.
func (t *Temp) Move(name string) error {
	t.Close() // Windows renames no open file
	if !names(t.Name(), t.info) {
		return fmt.Errorf("%s was removed by another process: %w", t.Name(), fs.ErrNotExist)
	}
	return t.system.rename(t.Name(), name)
}

// Flush makes the content of the file durable under the name that it has now, and the name too.
func (s System) Flush(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|openFlags, 0) //nolint:gosec // the file is the caller's to name
	if err != nil {
		return err
	}
	if err := errors.Join(s.sync(f), f.Close()); err != nil {
		return fmt.Errorf("flush %s: %w", name, err)
	}
	return syncDir(filepath.Dir(name))
}

// Replace puts a file with the content in the place of target: afterwards that
// holds all of the old or all of the new, whatever happens.
func (s System) Replace(target string, content []byte) error {
	const attempts = 3 // another process may remove the temporary file
	for attempt := 1; ; attempt++ {
		err := s.replace(target, content)
		if !errors.Is(err, fs.ErrNotExist) || attempt == attempts {
			return err
		}
	}
}

func (s System) replace(target string, content []byte) error {
	t, err := s.Temp(target, 0)
	if err != nil {
		return err
	}
	defer t.Remove()
	if err := t.Write(content); err != nil {
		return err
	}
	if err := s.sync(t.file); err != nil {
		return err
	}
	if err := t.Move(target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(target))
}

// Remove removes the file, if it has its name still. It may be called again.
func (t *Temp) Remove() {
	t.Close()
	removeSame(t.Name(), t.info)
}

func removeSame(name string, opened fs.FileInfo) {
	if opened != nil && names(name, opened) {
		_ = os.Remove(name)
	}
}

// leftovers returns the record of target, if there is one, and then the temporary
// files that were made beside it, SQLite's journals of them included.
func leftovers(target string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		return nil, err
	}
	record := recordName(target)
	var found []string
	for _, entry := range entries {
		name := filepath.Join(filepath.Dir(target), entry.Name())
		if name == record {
			found = append([]string{record}, found...)
		} else if rest, ok := strings.CutPrefix(entry.Name(), "."+filepath.Base(target)+"."); ok && strings.Contains(rest, tempSuffix) {
			found = append(found, name)
		}
	}
	return found, nil
}
