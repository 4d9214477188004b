package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
)

const defaultLockTimeout = 30 * time.Second

// Config says where a [Store] keeps its files. Set either AppName or Path.
type Config struct {
	// AppName names the app as a Python GlobusApp would be named; its directory is
	// made of it. Files are found by the key.
	AppName string
	// Dir is used instead of ~/.globus/app. Only beside AppName.
	Dir string

	// Path is one file for all namespaces of one client, such as that of a Python
	// JSONTokenStorage.
	Path string
	// ClientID is the client whose tokens are in Path. Keys of another are refused.
	ClientID string
	// Environment is the environment they are for. Empty means "production".
	Environment string
	// Address is the address of the service that issued them. Empty means the
	// environment's own. Keys of another are refused.
	Address string

	// LockTimeout is how long to wait for the lock at most. Zero means 30 seconds.
	LockTimeout time.Duration
}

// Store is a [tokens.Store] in JSON files. It is safe for concurrent use, also by
// several processes.
type Store struct {
	place    *place.Place
	locks    place.Locks
	patience time.Duration
}

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It touches no file.
func New(config Config) (*Store, error) {
	where, err := place.New(place.Config{
		AppName: config.AppName, Dir: config.Dir,
		Path: config.Path, ClientID: config.ClientID, Environment: config.Environment, Address: config.Address,
		Extension: ".json",
	})
	if err != nil {
		return nil, fmt.Errorf("filestore: new: %w", err)
	}
	if config.LockTimeout < 0 {
		return nil, errors.New("filestore: new: LockTimeout is negative")
	}
	if config.LockTimeout == 0 {
		config.LockTimeout = defaultLockTimeout
	}
	return &Store{place: where, patience: config.LockTimeout}, nil
}

// Path returns the file in which the tokens of a key are kept.
func (s *Store) Path(key tokens.Key) (string, error) {
	path, _, err := s.place.File(key)
	if err != nil {
		return "", fmt.Errorf("filestore: path: %w", err)
	}
	return path, nil
}

// Load returns what is stored under key. See [tokens.Store].
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	set, err := s.load(ctx, key)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("filestore: load: %w", err)
	}
	return set, nil
}

func (s *Store) load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	path, key, err := s.place.File(key)
	if err != nil {
		return tokens.Set{}, err
	}
	doc, err := read(ctx, path)
	if place.IsLink(err) {
		if path, err = place.Resolve(path); err == nil {
			doc, err = read(ctx, path)
		}
	}
	if err != nil {
		return tokens.Set{}, err
	}
	return doc.set(key.Namespace)
}

// Update replaces what is stored under key by what fn makes of it. See
// [tokens.Store].
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	next, err := s.update(ctx, key, fn)
	if err != nil {
		return next, fmt.Errorf("filestore: update: %w", err)
	}
	return next, nil
}

func (s *Store) update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	path, key, err := s.place.File(key)
	if err != nil {
		return tokens.Set{}, err
	}
	if err := ctx.Err(); err != nil {
		return tokens.Set{}, err
	}
	if path, err = place.Resolve(path); err != nil {
		return tokens.Set{}, err
	}
	if err := place.Prepare(path); err != nil {
		return tokens.Set{}, err
	}
	unlock, err := s.locks.Lock(ctx, path, s.patience)
	if err != nil {
		return tokens.Set{}, err
	}
	defer unlock()
	doc, err := read(ctx, path)
	if err != nil {
		return tokens.Set{}, err
	}
	current, err := doc.set(key.Namespace)
	if err != nil {
		return tokens.Set{}, err
	}
	// From here on nothing may fail for want of room: fn may spend a refresh token.
	room, err := place.Reserve(path, doc.size+reserve)
	if err != nil {
		return tokens.Set{}, err
	}
	defer room.Discard()
	next, err := fn(current)
	if err != nil {
		return tokens.Set{}, err
	}
	if next.Equal(current) {
		return next, nil
	}
	// The context must not keep what fn got from being stored. The file is read
	// again, for the sake of programs that write it without the lock.
	latest, err := read(context.WithoutCancel(ctx), path)
	if err != nil {
		return next, err
	}
	content, err := latest.apply(key.Namespace, current, next)
	if err != nil {
		return next, err
	}
	return next, room.Commit(content)
}

// Delete removes what is stored under key. See [tokens.Store].
func (s *Store) Delete(ctx context.Context, key tokens.Key) error {
	if err := s.remove(ctx, key); err != nil {
		return fmt.Errorf("filestore: delete: %w", err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, key tokens.Key) error {
	path, key, err := s.place.File(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if path, err = place.Resolve(path); err != nil {
		return err
	}
	if !place.Exists(path) {
		return nil // not even a directory: nothing is stored, and nobody updates it
	}
	if err := place.Prepare(path); err != nil {
		return err
	}
	unlock, err := s.locks.Lock(ctx, path, s.patience)
	if err != nil {
		return err
	}
	defer unlock()
	doc, err := read(ctx, path)
	if err != nil || !doc.has(key.Namespace) {
		return err
	}
	content, err := doc.without(key.Namespace)
	if err != nil {
		return err
	}
	room, err := place.Reserve(path, len(content))
	if err != nil {
		return err
	}
	return room.Commit(content)
}

// Keys returns the keys under which something is stored. See [tokens.Store].
// A file that cannot be read is an error beside the keys of the others.
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("filestore: list: %w", err)
	}
	files, err := s.place.Files()
	if err != nil {
		return nil, fmt.Errorf("filestore: list: %w", err)
	}
	var keys []tokens.Key
	var problems []error
	for _, file := range files {
		found, err := namespaces(ctx, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("filestore: list: %w", err))
		}
		keys = append(keys, found...)
	}
	slices.SortFunc(keys, tokens.Key.Compare)
	return keys, errors.Join(problems...)
}

func namespaces(ctx context.Context, file place.Found) ([]tokens.Key, error) {
	path, err := place.Resolve(file.Path)
	if err != nil {
		return nil, err
	}
	doc, err := read(ctx, path)
	if err != nil {
		return nil, err
	}
	var keys []tokens.Key
	for namespace := range doc.data {
		key := file.Key
		key.Namespace = namespace
		// A namespace that Python made may be one that no key can name.
		if normal, err := key.Normal(); err == nil && normal == key && doc.has(namespace) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
