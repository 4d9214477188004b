package sqlitestore

import (
	"context"
	"errors"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/internal/files"
	"github.com/globusauth/globusauth/tokens/internal/files/sqlitefile"
)

// Config says where a [Store] keeps its files, as for package filestore. The path
// ":memory:" is refused: [tokens.Memory] is for that.
type Config = filestore.Config

// Store is a [tokens.Store] in SQLite files. It is safe for concurrent use, also
// by several processes. It keeps the file that was used last open, without a lock, until the garbage
// collector finds that the Store is not used any more; on Windows it keeps none open.
type Store struct{ files *files.Store }

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It touches no file.
func New(config Config) (*Store, error) {
	if config.Path == ":memory:" {
		return nil, errors.New("sqlitestore: new: a database in memory is lost at once: use tokens.Memory")
	}
	files, err := files.New(files.Kind{Package: "sqlitestore", Extension: ".db", Backend: &sqlitefile.Backend{}}, files.Config(config))
	if err != nil {
		return nil, err
	}
	return &Store{files}, nil
}

// Path returns the file in which the tokens of a key are kept.
func (s *Store) Path(key tokens.Key) (string, error) { return s.files.Path(key) }

// Load returns what is stored under key. See [tokens.Store].
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	return s.files.Load(ctx, key)
}

// Update replaces what is stored under key by what fn makes of it. See
// [tokens.Store]. An fn that changes nothing tests whether an update could be stored.
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	return s.files.Update(ctx, key, fn)
}

// Delete removes what is stored under key. See [tokens.Store]. A file that cannot
// be read is moved aside, to its name with ".damaged" added.
func (s *Store) Delete(ctx context.Context, key tokens.Key) error { return s.files.Delete(ctx, key) }

// Keys returns the keys under which something is stored. See [tokens.Store].
// A file that cannot be read is an error beside the keys of the others.
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) { return s.files.Keys(ctx) }
