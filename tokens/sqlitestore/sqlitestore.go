package sqlitestore

import (
	"errors"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/internal/files"
	"github.com/globusauth/globusauth/tokens/internal/files/sqlitefile"
)

// Config says where a [Store] keeps its files, as for package filestore. The path
// ":memory:" is refused: [tokens.Memory] is for that.
type Config = filestore.Config

// Store is a [tokens.Store] in SQLite files, as that of package filestore. It keeps the file that was used last
// open, without a lock, until the garbage collector finds that the Store is not used any more; on Windows it keeps none open.
type Store struct {
	tokens.Store

	path func(tokens.Key) (string, error)
}

// New checks the configuration. It touches no file.
func New(config Config) (*Store, error) {
	if config.Path == ":memory:" {
		return nil, errors.New("sqlitestore: new: a database in memory is lost at once: use tokens.Memory")
	}
	store, err := files.New(files.Kind{Package: "sqlitestore", Extension: ".db", Backend: &sqlitefile.Backend{}}, files.Config(config))
	if err != nil {
		return nil, err
	}
	return &Store{store, store.Path}, nil
}

// Path returns the file in which the tokens of a key are kept.
func (s *Store) Path(key tokens.Key) (string, error) { return s.path(key) }
