package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/change"
)

// record is a change that is written into a temporary file before it is made, so
// that a process that is killed, or a file that cannot be written, loses nothing.
type record struct {
	Namespace string     `json:"namespace"`
	Before    tokens.Set `json:"before"`
	After     tokens.Set `json:"after"`

	whole bool // false for other temporary files, and for torn ones
	name  string
}

const maxRecord = 64 << 20

// besideWhich returns the name of the file that a temporary file lies beside, and
// other names as they are.
func besideWhich(name string) string {
	stem, hidden := strings.CutPrefix(name, ".")
	if stem, ok := strings.CutSuffix(stem, tempSuffix); ok && hidden {
		return strings.TrimSuffix(stem, filepath.Ext(stem))
	}
	return name
}

// writeRecord writes a record into a temporary file. It is not flushed: only a power
// failure loses it, and the change itself is flushed a moment later.
func (t *Temp) writeRecord(r record) error {
	content, err := json.Marshal(r, json.WithMarshalers(json.MarshalFunc(tokens.Set.MarshalStorage)))
	if err != nil {
		return err
	}
	if err := t.write(content); err != nil {
		return err
	}
	_, err = os.Lstat(t.Name()) // another process may have removed it
	return err
}

// leftovers returns what other processes left beside the file: records, and
// temporary files of no use, SQLite's journals of them included.
func (f File) leftovers() (found []record, err error) {
	entries, err := os.ReadDir(f.dir())
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), "."+filepath.Base(f.Path)+".")
		if !ok || !strings.Contains(rest, tempSuffix) {
			continue
		}
		r := record{name: filepath.Join(f.dir(), entry.Name())}
		content, err := readFile(r.name, maxRecord)
		if err != nil {
			continue // it is no record, or another process has just removed it
		}
		// A process killed between writing and truncating leaves the zeros it reserved.
		if content = bytes.TrimRight(content, "\x00"); len(content) > 0 {
			content, err = f.sealer.Open(f.Path, content)
			if err != nil && !errors.Is(err, tokens.ErrUnreadable) {
				return nil, err
			}
			r.whole = err == nil && json.Unmarshal(content, &r, json.WithUnmarshalers(json.UnmarshalFunc(readSet))) == nil
		}
		found = append(found, r)
	}
	return found, nil
}

func readSet(data []byte, set *tokens.Set) (err error) {
	*set, err = tokens.UnmarshalStorage(data)
	return err
}

// pending returns a set with the changes that processes wrote down and did not make.
func (f File) pending(namespace string, current tokens.Set) tokens.Set {
	left, _ := f.leftovers() // what cannot be listed or opened is left to the next update
	for _, r := range left {
		if r.whole && r.Namespace == namespace {
			current, _ = change.On(current, r.Before, r.After, false)
		}
	}
	return current
}

// adopt makes the changes that killed processes wrote down, and removes what they
// left. The lock must be held.
func (s *Store) adopt(ctx context.Context, file File) error {
	left, err := file.leftovers()
	if err != nil {
		return err
	}
	for _, r := range left {
		if !r.whole { // perhaps because its key is missing: that of the file is then too
			_, err = s.read(ctx, file, "")
		} else {
			err = s.edit(ctx, file, r, false)
		}
		if err != nil {
			return fmt.Errorf("store what is kept in %s: %w", r.name, err)
		}
		_ = os.Remove(r.name)
	}
	return nil
}

// aside moves a file that cannot be read out of the way, and removes what was left
// beside it.
func (f File) aside() error {
	left, err := f.leftovers()
	if err != nil {
		return err
	}
	for _, r := range left {
		if err := os.Remove(r.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := rename(f.Path, f.Path+damagedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(f.dir(), f.system.Sync)
}

// damagedSuffix ends the name of a file that Delete could not read.
const damagedSuffix = ".damaged"
