package place

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
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/tokens"
)

// record is a change of a file that is written down before it is made, so that
// what a service issued is not lost with a process that is killed, or by a file that
// cannot be written. It lies beside the file under one name, whole; as a temporary
// file it may be torn.
type record struct {
	Namespace string         `json:"namespace"`
	Before    jsontext.Value `json:"before"` // the tokens of the namespace, as stored
	After     jsontext.Value `json:"after"`
}

const maxRecord = 64 << 20

// recordName is where the record of a file lies.
func recordName(file string) string {
	return filepath.Join(filepath.Dir(file), recordPrefix+filepath.Base(file)+recordSuffix)
}

const recordPrefix, recordSuffix = ".", ".next"

// recordOf returns the name of the file that a record or temporary file lies beside,
// and other names as they are.
func recordOf(name string) string {
	of, hidden := strings.CutPrefix(name, recordPrefix)
	if file, ok := strings.CutSuffix(of, recordSuffix); hidden && ok {
		return file
	}
	if file, ok := strings.CutSuffix(of, tempSuffix); hidden && ok {
		return strings.TrimSuffix(file, filepath.Ext(file))
	}
	return name
}

// note writes down a change in the room that was reserved for it. It returns the
// name under which the record is found, which is empty if it is not whole.
func (s *Store) note(room *Temp, path, namespace string, before, after tokens.Set) (string, error) {
	var r record
	var err error
	if r.Before, err = before.MarshalStorage(); err != nil {
		return "", err
	}
	if r.After, err = after.MarshalStorage(); err != nil {
		return "", err
	}
	r.Namespace = namespace
	content, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	if !names(room.Name(), room.info) {
		return "", fmt.Errorf("%s was removed by another process", room.Name())
	}
	if err := room.Write(content); err != nil {
		return "", err
	}
	name := recordName(path)
	if err := room.Move(name); err != nil {
		return room.Name(), err
	}
	return name, s.system.Flush(name)
}

// readRecord reads a record that a process left, and returns the file's own
// information for all that could be read, be it whole or torn.
func readRecord(name string) (change, fs.FileInfo, error) {
	content, info, err := ReadFile(name, maxRecord)
	if err != nil {
		return change{}, nil, err
	}
	var r record
	// A process killed between writing and cutting leaves the zeros it reserved.
	if err := json.Unmarshal(bytes.TrimRight(content, "\x00"), &r); err != nil {
		return change{}, info, errors.New("not a whole record")
	}
	c := change{namespace: r.Namespace}
	if c.before, err = tokens.UnmarshalStorage(r.Before); err == nil {
		c.after, err = tokens.UnmarshalStorage(r.After)
	}
	return c, info, err
}

// change is what a record says.
type change struct {
	namespace     string
	before, after tokens.Set
}

// on makes the change of a set, for each resource server whose token is still the
// one that was replaced.
func (c change) on(current tokens.Set) (tokens.Set, error) {
	var list []tokens.Token
	servers := map[string]bool{}
	for _, token := range append(current.All(), c.after.All()...) {
		servers[token.ResourceServer] = true
	}
	for server := range servers {
		now, _ := current.ByResourceServer(server)
		before, _ := c.before.ByResourceServer(server)
		if now == before {
			now, _ = c.after.ByResourceServer(server)
		}
		if now.AccessToken != "" {
			list = append(list, now)
		}
	}
	return tokens.NewSet(list...)
}

// pending returns a set of a namespace with the changes that processes wrote down
// and could not make.
func pending(path, namespace string, current tokens.Set) tokens.Set {
	for _, c := range changes(path) {
		if c.namespace != namespace {
			continue
		}
		if next, err := c.on(current); err == nil {
			current = next
		}
	}
	return current
}

// changes returns what the records of a file say, also those that could not be
// given their name, in the order in which adopt makes them.
func changes(path string) []change {
	left, err := leftovers(path)
	if err != nil {
		left = []string{recordName(path)} // what can be read in a directory that cannot be listed
	}
	var found []change
	for _, name := range left {
		if c, _, err := readRecord(name); err == nil {
			found = append(found, c)
		}
	}
	return found
}

// adopt makes the changes that killed processes wrote down, and removes what they
// left. The lock must be held.
func (s *Store) adopt(ctx context.Context, path string) error {
	left, err := leftovers(path)
	if err != nil {
		return err
	}
	for _, name := range left {
		c, info, err := readRecord(name)
		if err == nil {
			err = s.change(ctx, path, c)
			if err != nil {
				return fmt.Errorf("store what is kept in %s: %w", name, err)
			}
		}
		removeSame(name, info)
	}
	return nil
}

func (s *Store) change(ctx context.Context, path string, c change) error {
	current, err := s.backend.Load(ctx, path, c.namespace)
	if err != nil {
		return err
	}
	next, err := c.on(current)
	if err != nil || next.Equal(current) {
		return err
	}
	return s.backend.Store(ctx, path, c.namespace, current, next)
}

// aside moves a file that cannot be read out of the way, and what belongs to it.
func aside(path string) error {
	left, err := leftovers(path)
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, part := range []string{"-journal", ""} { // SQLite's would be played into the next database
		if err := rename(path+part, path+DamagedSuffix+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

// DamagedSuffix ends the name of a file that Delete could not read.
const DamagedSuffix = ".damaged"
