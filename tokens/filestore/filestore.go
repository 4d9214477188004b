package filestore

import (
	"context"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
	"github.com/globusauth/globusauth/tokens/internal/files/jsonfile"
)

// Config says where a store keeps its files. Set either AppName or Path.
type Config struct {
	// AppName is the name of the app, as of a Python GlobusApp. It gives the directory
	// its name; the key names the file in it.
	AppName string
	// Dir is used instead of ~/.globus/app. Only beside AppName.
	Dir string

	// Path is one file for all namespaces of one client, such as that of a Python
	// JSONTokenStorage or SQLiteTokenStorage.
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
type Store struct{ files *files.Store }

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It touches no file.
func New(config Config) (*Store, error) { return newOn(files.System{}, config) }

func newOn(system files.System, config Config) (*Store, error) {
	kind := files.Kind{Package: "filestore", Extension: ".json", Backend: jsonfile.Backend{}, System: system}
	files, err := files.New(kind, files.Config(config))
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
