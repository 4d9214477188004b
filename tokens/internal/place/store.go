package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

const (
	// DefaultLockTimeout is how long to wait for locks.
	DefaultLockTimeout = 30 * time.Second
	// reserve is room for what an update may add, on top of twice the file.
	reserve = 64 << 10
	// maxReserve bounds it for files of other programs.
	maxReserve = 4 << 20
)

// ErrForeign says, beside [tokens.ErrUnreadable], that a file was not written for tokens.
var ErrForeign = errors.New("another program's file")

// Backend reads and writes files of one format. Its methods are called with
// files that passed the checks of this package, or do not exist; Store, Delete
// and Rehearse with the lock held.
type Backend interface {
	// Load returns the tokens of a namespace, none if there is no file.
	Load(ctx context.Context, path, namespace string) (tokens.Set, error)
	// Namespaces returns those that hold tokens.
	Namespaces(ctx context.Context, path string) ([]string, error)
	// Rehearse fails if Store would.
	Rehearse(ctx context.Context, path string) error
	// Store writes the differences between two sets, durably, over what the file holds by now.
	Store(ctx context.Context, path, namespace string, before, after tokens.Set) error
	// Delete removes a namespace, also one that Load cannot read.
	Delete(ctx context.Context, path, namespace string) error
}

// OffDisk is a backend whose tokens must not be written into files: changes are not
// written down before they are made.
type OffDisk interface{ OffDisk() }

// Store is a [tokens.Store] in files.
type Store struct {
	name     string // of the package, for errors
	layout   *layout
	backend  Backend
	system   System
	patience time.Duration
}

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It touches no file. name is that of the public
// package, extension that of its files.
func New(name, extension string, config Config, backend Backend, system System) (*Store, error) {
	where, err := newLayout(config, extension)
	if err != nil {
		return nil, fmt.Errorf("%s: new: %w", name, err)
	}
	if config.LockTimeout < 0 {
		return nil, fmt.Errorf("%s: new: LockTimeout is negative", name)
	}
	if config.LockTimeout == 0 {
		config.LockTimeout = DefaultLockTimeout
	}
	return &Store{
		name: name, layout: where, backend: backend, system: system, patience: config.LockTimeout,
	}, nil
}

// Path returns the file in which the tokens of a key are kept.
func (s *Store) Path(key tokens.Key) (string, error) {
	path, _, err := s.layout.file(key)
	return path, s.failed("path", err)
}

func (s *Store) failed(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %s: %w", s.name, what, err)
	}
	return err
}

// Load returns what is stored under key.
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	set, err := s.load(ctx, key)
	return set, s.failed("load", err)
}

func (s *Store) load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	path, key, err := s.locate(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	set, err := s.read(ctx, path, key.Namespace)
	if err != nil {
		return tokens.Set{}, err
	}
	return pending(path, key.Namespace, set), nil
}

func (s *Store) read(ctx context.Context, path, namespace string) (tokens.Set, error) {
	set, err := s.backend.Load(ctx, path, namespace)
	if errors.Is(err, tokens.ErrUnreadable) && !errors.Is(err, ErrForeign) {
		err = fmt.Errorf("%w: deleting the login moves an unreadable file to %s%s; then log in again", err, path, DamagedSuffix)
	}
	return set, err
}

func (s *Store) locate(ctx context.Context, key tokens.Key) (string, tokens.Key, error) {
	path, key, err := s.layout.file(key)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		path, err = resolve(path)
	}
	return path, key, err
}

// Update replaces what is stored under key by what fn makes of it.
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	next, err := s.update(ctx, key, fn)
	return next, s.failed("update", err)
}

func (s *Store) update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	path, key, err := s.locate(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	unlock, err := s.lock(ctx, path)
	if err != nil {
		return tokens.Set{}, err
	}
	defer unlock()
	current, room, err := s.rehearse(ctx, path, key.Namespace)
	if err != nil {
		return tokens.Set{}, err
	}
	defer room.Remove()
	// From here on nothing may fail that can be known before: fn may spend a refresh token.
	next, err := fn(current)
	if err != nil {
		return tokens.Set{}, err
	}
	if next.Equal(current) {
		return next, nil
	}
	// The context must not keep what fn got from being stored.
	return next, s.commit(context.WithoutCancel(ctx), room, path, key.Namespace, current, next)
}

func (s *Store) lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := prepare(path); err != nil {
		return nil, err
	}
	return s.system.lock(ctx, path, s.patience)
}

// rehearse does all of an update that can fail before fn is called, and reserves
// room on the disk for the rest.
func (s *Store) rehearse(ctx context.Context, path, namespace string) (tokens.Set, *Temp, error) {
	if err := s.adopt(ctx, path); err != nil {
		return tokens.Set{}, nil, err
	}
	current, err := s.read(ctx, path, namespace)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	size := int64(0)
	if info, err := os.Lstat(path); err == nil {
		size = info.Size()
	}
	room, err := s.system.Temp(path, int(min(2*size+reserve, maxReserve)))
	if err == nil {
		if err = s.backend.Rehearse(ctx, path); err == nil {
			return current, room, nil
		}
		room.Remove()
	}
	return tokens.Set{}, nil, fmt.Errorf("nothing was changed, since the file cannot be written: %w", err)
}

// commit writes the change down, makes it, and removes what was written down.
func (s *Store) commit(ctx context.Context, room *Temp, path, namespace string, before, after tokens.Set) error {
	var noted string
	var noteErr error
	if _, off := s.backend.(OffDisk); !off {
		noted, noteErr = s.note(room, path, namespace, before, after)
	}
	err := s.backend.Store(ctx, path, namespace, before, after)
	if errors.Is(err, fs.ErrNotExist) { // another program removed the directory
		if err = prepare(path); err == nil {
			err = s.backend.Store(ctx, path, namespace, before, after)
		}
	}
	if err == nil {
		removeSame(noted, room.info)
		return nil
	}
	if noteErr != nil {
		err = fmt.Errorf("%w (%w)", err, noteErr)
	}
	if noted == "" {
		return fmt.Errorf("%w: what was received is stored nowhere", err)
	}
	room.info = nil // keep it
	return fmt.Errorf("%w: what was received is kept in %s, and the next update stores it", err, noted)
}

// Delete removes what is stored under key. A file of the caller's own that others
// can use is closed to them first; one that cannot be read is moved aside.
func (s *Store) Delete(ctx context.Context, key tokens.Key) error {
	return s.failed("delete", s.delete(ctx, key))
}

func (s *Store) delete(ctx context.Context, key tokens.Key) error {
	path, key, err := s.locate(ctx, key)
	if err != nil {
		return err
	}
	if !exists(path) {
		return nil // not even a directory: nothing is stored or being updated
	}
	if err := tighten(path); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	adoptErr := s.adopt(ctx, path)
	err = s.backend.Delete(ctx, path, key.Namespace)
	switch {
	case errors.Is(err, tokens.ErrUnreadable) && !errors.Is(err, ErrForeign):
		return aside(path)
	case err != nil:
		return err
	}
	return adoptErr
}

// Keys returns the keys under which something is stored. A file that cannot be
// read is an error beside the keys of the others.
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.failed("list", err)
	}
	files, err := s.layout.files()
	if err != nil {
		return nil, s.failed("list", err)
	}
	var keys []tokens.Key
	var problems []error
	for path, key := range files {
		found, err := s.namespaces(ctx, path)
		if err != nil {
			problems = append(problems, s.failed("list", err))
		}
		for _, key.Namespace = range found {
			// A namespace that Python made may be one that no key can name.
			if normal, err := key.Normal(); err == nil && normal == key {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, tokens.Key.Compare)
	return keys, errors.Join(problems...)
}

func (s *Store) namespaces(ctx context.Context, path string) ([]string, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	found, err := s.backend.Namespaces(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, c := range changes(path) {
		if slices.Contains(found, c.namespace) {
			continue
		}
		if set, err := c.on(tokens.Set{}); err == nil && !set.Equal(tokens.Set{}) {
			found = append(found, c.namespace)
		}
	}
	return found, nil
}
