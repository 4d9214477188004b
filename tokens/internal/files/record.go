package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/change"
)

const (
	// recordSuffix ends the name of the file for records, which is empty between updates.
	recordSuffix = ".pending"
	maxRecord    = 64 << 20

	// damagedSuffix ends the name of a file that Delete could not read.
	damagedSuffix = ".damaged"
)

// record is a change that is written down before it is made, so
// that a process that is killed, or a file that cannot be written, loses nothing.
type record struct {
	Namespace string     `json:"namespace"`
	Before    tokens.Set `json:"before"`
	After     tokens.Set `json:"after"`
}

// room is the open file for the record of an update.
type room struct {
	*os.File

	kept bool // after release
}

// reserve writes zeros where the record is written later, which reserve room on the disk. pending has checked the file.
func (f File) reserve(size int) (*room, error) {
	file, err := os.OpenFile(f.Path+recordSuffix, os.O_WRONLY|os.O_CREATE|openFlags, fileMode)
	if err != nil {
		return nil, err
	}
	r := &room{File: file}
	if _, err := file.Write(make([]byte, size)); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// release forgets the record, unless it was kept.
func (r *room) release() {
	if !r.kept {
		_ = r.Truncate(0)
	}
	_ = r.Close()
}

// write writes a record. It is not flushed: only a power
// failure loses it, and the change itself is flushed a moment later.
func (r *room) write(f File, change record) error {
	content, err := json.Marshal(change, json.WithMarshalers(json.MarshalFunc(tokens.Set.MarshalStorage)))
	if err == nil {
		content, err = f.sealer.Seal(f.Path, content)
	}
	if err == nil {
		_, err = r.WriteAt(content, 0)
	}
	if err == nil {
		err = r.Truncate(int64(len(content)))
	}
	if err == nil {
		_, err = os.Lstat(r.Name()) // another process may have removed it
	}
	return err
}

// keep makes release leave the record, durably where that is possible.
func (r *room) keep(f File) {
	r.kept = true
	_ = f.system.Sync(r.File)
	_ = syncDir(f.dir(), f.system.Sync)
}

// pending returns the change that another process wrote down and did not make, nil if there is none. A torn one
// is [tokens.ErrUnreadable].
func (f File) pending() (*record, error) {
	content, err := readFile(f.Path+recordSuffix, maxRecord)
	// A process killed before it cut the file leaves zeros.
	if content = bytes.TrimRight(content, "\x00"); len(content) == 0 {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	if content, err = f.sealer.Open(f.Path, content); err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(content, &r, json.WithUnmarshalers(json.UnmarshalFunc(readSet))); err != nil {
		return nil, fmt.Errorf("%w: %s%s is not whole", tokens.ErrUnreadable, f.Path, recordSuffix)
	}
	return &r, nil
}

func readSet(data []byte, set *tokens.Set) (err error) {
	*set, err = tokens.UnmarshalStorage(data)
	return err
}

// merge returns a set with the change that is pending. One that cannot be read is left to the next update.
func (f File) merge(namespace string, current tokens.Set) tokens.Set {
	if r, err := f.pending(); err == nil && r != nil && r.Namespace == namespace {
		current, _ = change.On(current, r.Before, r.After, false)
	}
	return current
}

// adopt makes the change that a killed process wrote down, and removes what it
// left. The lock must be held.
func (s *Store) adopt(ctx context.Context, file File) error {
	r, err := file.pending()
	switch {
	case errors.Is(err, tokens.ErrUnreadable): // it is torn, or its key is missing: that of the file is then too
		_, err = s.read(ctx, file, "")
	case err == nil && r != nil:
		err = s.edit(ctx, file, *r, false)
	case err == nil:
		return file.sweep()
	}
	if err != nil {
		return fmt.Errorf("store what is kept in %s%s: %w", file.Path, recordSuffix, err)
	}
	return errors.Join(os.Truncate(file.Path+recordSuffix, 0), file.sweep())
}

// aside moves a file that cannot be read out of the way, and removes what was left
// beside it.
func (f File) aside() error {
	for _, err := range []error{f.sweep(), os.Remove(f.Path + recordSuffix), rename(f.Path, f.Path+damagedSuffix)} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(f.dir(), f.system.Sync)
}
