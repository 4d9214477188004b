package filestore

import (
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
// several processes. An Update that changes nothing tests whether one could be stored. Delete moves a file
// that cannot be read aside, to its name with ".damaged" added. For Keys, such a file is an error beside the keys of the others.
type Store struct {
	tokens.Store

	path func(tokens.Key) (string, error)
}

// New checks the configuration. It touches no file.
func New(config Config) (*Store, error) { return newOn(files.System{}, config) }

func newOn(system files.System, config Config) (*Store, error) {
	kind := files.Kind{Package: "filestore", Extension: ".json", Backend: jsonfile.Backend{}, System: system}
	store, err := files.New(kind, files.Config(config))
	if err != nil {
		return nil, err
	}
	return &Store{store, store.Path}, nil
}

// Path returns the file in which the tokens of a key are kept.
func (s *Store) Path(key tokens.Key) (string, error) { return s.path(key) }
