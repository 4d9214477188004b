// Package files is a store of tokens in files, in the directories of the official
// Python SDK. It decides who may read the files and who writes next, and keeps what a
// killed process had received. A [Backend] reads and writes files of one format.
package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/change"
	"github.com/globusauth/globusauth/tokens/internal/stored"
)

const (
	defaultLockTimeout = 30 * time.Second
	// reserve is room for what an update may add, on top of twice the file.
	reserve = 16 << 10
	// maxReserve bounds the size of the file that counts.
	maxReserve = 2 << 20
)

// ErrForeign says, beside [tokens.ErrUnreadable], that a file is not a token file.
var ErrForeign = errors.New("another program's file")

// Config is that of the public packages.
type Config struct {
	AppName     string
	Dir         string
	Path        string
	ClientID    string
	Environment string
	Address     string
	LockTimeout time.Duration
}

// Backend reads and writes files of one format. The tokens of a namespace are one JSON object, as
// [tokens.Set.MarshalStorage] writes it. An error that is [fs.ErrNotExist] means that another program
// removed a file: the call is retried.
type Backend interface {
	// Load returns the tokens of a namespace, nil or an empty object if there are none.
	Load(ctx context.Context, file File, namespace string) (jsontext.Value, error)
	// Namespaces returns those that hold tokens.
	Namespaces(ctx context.Context, file File) ([]string, error)
	// Rehearse is Load, but fails if Edit would. The lock is held, and the directory of the file exists.
	Rehearse(ctx context.Context, file File, namespace string) (jsontext.Value, error)
	// Edit durably writes what edit makes of the tokens of a namespace. The lock is held, and the directory exists.
	Edit(ctx context.Context, file File, namespace string, edit func(jsontext.Value) (jsontext.Value, error)) error
}

// Kind is what the public packages differ in.
type Kind struct {
	Package   string // for errors
	Extension string // of the files
	Backend   Backend
	Sealer    Sealer // nil means that files are not sealed
	System    System
}

// Store is a [tokens.Store] in files.
type Store struct {
	kind        Kind
	layout      layout
	lockTimeout time.Duration
}

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It touches no file.
func New(kind Kind, config Config) (_ *Store, err error) {
	s := &Store{kind: kind}
	defer s.prefix("new", &err)
	if s.layout, err = newLayout(config, kind.Extension); err != nil {
		return nil, err
	}
	if config.LockTimeout < 0 {
		return nil, errors.New("LockTimeout is negative")
	}
	s.kind.Sealer = cmp.Or[Sealer](kind.Sealer, plain{})
	s.kind.System = kind.System.withDefaults()
	s.lockTimeout = cmp.Or(config.LockTimeout, defaultLockTimeout)
	return s, nil
}

// prefix says in an error which call failed, and what to do about an unreadable file.
func (s *Store) prefix(verb string, err *error) {
	if errors.Is(*err, tokens.ErrUnreadable) && !errors.Is(*err, ErrForeign) {
		*err = fmt.Errorf("%w: deleting the login moves an unreadable file aside, to its name with %s; then log in again", *err, damagedSuffix)
	}
	prefix.Add(err, s.kind.Package+": "+verb)
}

// Path returns the file in which the tokens of a key are kept.
func (s *Store) Path(key tokens.Key) (path string, err error) {
	defer s.prefix("path", &err)
	path, _, err = s.layout.locate(key)
	return path, err
}

// find returns the file and the namespace of a key.
func (s *Store) find(ctx context.Context, key tokens.Key) (file File, namespace string, err error) {
	path, key, err := s.layout.locate(key)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		file, err = s.at(path)
	}
	return file, key.Namespace, err
}

func (s *Store) at(path string) (File, error) {
	path, err := resolve(path)
	return File{Path: path, LockTimeout: s.lockTimeout, system: s.kind.System, sealer: s.kind.Sealer}, err
}

// Load returns what is stored under key.
func (s *Store) Load(ctx context.Context, key tokens.Key) (set tokens.Set, err error) {
	defer s.prefix("load", &err)
	file, namespace, err := s.find(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	if set, err = s.read(ctx, file, namespace); err == nil {
		set = file.merge(namespace, set)
	}
	return set, err
}

func (s *Store) read(ctx context.Context, file File, namespace string) (tokens.Set, error) {
	raw, err := s.kind.Backend.Load(ctx, file, namespace)
	return parse(file, namespace, raw, err)
}

// parse returns the tokens that the backend returned.
func parse(file File, namespace string, raw jsontext.Value, err error) (set tokens.Set, _ error) {
	if err == nil && len(raw) > 0 {
		if set, err = tokens.UnmarshalStorage(raw); err != nil {
			err = fmt.Errorf("%w: %s, namespace %q: %w", tokens.ErrUnreadable, file.Path, namespace, err)
		}
	}
	return set, err
}

// edit makes a change to what the file holds by now: to all tokens that are changed, or to those that are still the
// ones that were replaced. What a stored token holds beside the fields of [tokens.Token] is kept, and an unchanged
// one stays as it was written.
func (s *Store) edit(ctx context.Context, file File, r record, all bool) error {
	return retry(file, func() error {
		return s.kind.Backend.Edit(ctx, file, r.Namespace, func(raw jsontext.Value) (jsontext.Value, error) {
			current, err := parse(file, r.Namespace, raw, nil)
			if err != nil {
				return nil, err
			}
			next, _ := change.On(current, r.Before, r.After, all)
			if next.Equal(current) {
				return raw, nil
			}
			return overlay(raw, current, next)
		})
	})
}

// overlay puts what differs between two sets over the stored tokens.
func overlay(raw jsontext.Value, current, next tokens.Set) (jsontext.Value, error) {
	data, err := next.MarshalStorage()
	if err != nil {
		return nil, err
	}
	var rows, written map[string]jsontext.Value
	if err := cmp.Or(json.Unmarshal(raw, &rows), json.Unmarshal(data, &written)); err != nil {
		return nil, err
	}
	for server := range rows {
		if _, kept := written[server]; !kept {
			delete(rows, server)
		}
	}
	for server, token := range written {
		before, had := current.ByResourceServer(server)
		if after, _ := next.ByResourceServer(server); had && before == after {
			continue
		}
		if rows[server], err = stored.Overlay(rows[server], token); err != nil {
			return nil, fmt.Errorf("the stored token for %q: %w", server, err)
		}
	}
	return json.Marshal(rows, json.Deterministic(true))
}

// Update replaces what is stored under key by what fn makes of it.
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (_ tokens.Set, err error) {
	defer s.prefix("update", &err)
	file, namespace, err := s.find(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	unlock, err := file.lock(ctx)
	if err != nil {
		return tokens.Set{}, err
	}
	defer unlock()
	current, room, err := s.rehearse(ctx, file, namespace)
	if err != nil {
		return tokens.Set{}, err
	}
	defer room.release()
	// fn may use a refresh token: what can fail has been done before.
	next, err := fn(current)
	if err != nil {
		return tokens.Set{}, err
	}
	if next.Equal(current) {
		return next, nil
	}
	// The end of the context must not keep the result of fn from being stored.
	return next, s.commit(context.WithoutCancel(ctx), file, room, record{Namespace: namespace, Before: current, After: next})
}

// retry calls work again while it fails because another program removes files or their directory.
func retry(file File, work func() error) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := work()
		if !errors.Is(err, fs.ErrNotExist) || attempt == attempts {
			return err
		}
		if err := file.prepare(); err != nil {
			return err
		}
	}
}

// rehearse does all of an update that can fail before fn is called, and reserves
// room on the disk for the record.
func (s *Store) rehearse(ctx context.Context, file File, namespace string) (current tokens.Set, r *room, err error) {
	if err := s.adopt(ctx, file); err != nil {
		return tokens.Set{}, nil, err
	}
	size := reserve
	if info, err := os.Lstat(file.Path); err == nil {
		size += 2 * int(min(info.Size(), maxReserve))
	}
	if r, err = file.reserve(size); err == nil {
		if _, err = file.sealer.Seal(file.Path, nil); err == nil {
			err = retry(file, func() error {
				raw, err := s.kind.Backend.Rehearse(ctx, file, namespace)
				current, err = parse(file, namespace, raw, err)
				return err
			})
		}
		if err == nil {
			return current, r, nil
		}
		r.release()
	}
	return tokens.Set{}, nil, fmt.Errorf("nothing was changed, since nothing can be stored: %w", err)
}

// commit writes the change down and makes it.
func (s *Store) commit(ctx context.Context, file File, room *room, r record) error {
	recordErr := room.write(file, r)
	err := s.edit(ctx, file, r, true)
	switch {
	case err == nil:
		return nil
	case recordErr != nil:
		return fmt.Errorf("%w: what was received is stored nowhere (%w)", err, recordErr)
	}
	room.keep(file)
	return fmt.Errorf("%w: what was received is kept in %s, and the next update stores it", err, room.Name())
}

// Delete removes what is stored under key. It first closes a file of the user's own
// that others can use. It moves a file that cannot be read aside.
func (s *Store) Delete(ctx context.Context, key tokens.Key) (err error) {
	defer s.prefix("delete", &err)
	file, namespace, err := s.find(ctx, key)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file.dir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := tighten(file.Path); err != nil {
		return err
	}
	unlock, err := file.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	adoptErr := s.adopt(ctx, file)
	if _, err := os.Lstat(file.Path); errors.Is(err, fs.ErrNotExist) {
		return adoptErr
	}
	err = retry(file, func() error {
		return s.kind.Backend.Edit(ctx, file, namespace, func(jsontext.Value) (jsontext.Value, error) { return jsontext.Value("{}"), nil })
	})
	switch {
	case errors.Is(err, tokens.ErrUnreadable) && !errors.Is(err, ErrForeign):
		return file.aside()
	case err != nil:
		return err
	}
	return adoptErr
}

// Keys returns the keys under which something is stored. A file that cannot be
// read is an error beside the keys of the others.
func (s *Store) Keys(ctx context.Context) (keys []tokens.Key, err error) {
	defer s.prefix("list", &err)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	files, err := s.layout.files()
	if err != nil {
		return nil, err
	}
	var problems []error
	for path, key := range files {
		found, err := s.namespaces(ctx, path)
		problems = append(problems, err)
		for _, key.Namespace = range found {
			// Python may have made a namespace that no key can name.
			if normal, err := key.Normal(); err == nil && normal == key {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, tokens.Key.Compare)
	return keys, errors.Join(problems...)
}

func (s *Store) namespaces(ctx context.Context, path string) (found []string, err error) {
	file, err := s.at(path)
	if err != nil {
		return nil, err
	}
	if found, err = s.kind.Backend.Namespaces(ctx, file); err != nil {
		return nil, err
	}
	r, err := file.pending()
	if err == nil && r != nil && !slices.Contains(found, r.Namespace) && !r.After.Equal(tokens.Set{}) {
		found = append(found, r.Namespace)
	}
	return found, nil
}
