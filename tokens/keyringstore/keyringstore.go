// Package keyringstore keeps tokens in the keyring of the operating system: the
// Keychain of macOS, the Credential Manager of Windows, the Secret Service (GNOME
// Keyring, KWallet) elsewhere. Without a keyring, such as on a login node, every call
// fails before a token is used.
//
// Updates take turns between goroutines and processes by a lock file, as in package
// filestore. Beside it is an index without secrets, which names the items of the keyring
// that hold a login: keyrings limit the size of an item, so that a login
// takes several. No token is written to a file, not even for a moment. Killing the process at any
// instant leaves the state before or after.
//
// A keyring can ask the person to unlock it. Calls wait for that without regard to
// their context. Tokens are not shared with the Python SDK, which does not use keyrings.
package keyringstore

import (
	"context"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
)

// Config says whose tokens a [Store] keeps, and where its index is.
type Config struct {
	// AppName names the app. Programs of one name share the logins. Required.
	AppName string
	// Dir is the directory of the lock file and the index. Empty means
	// ~/.globus/app.
	Dir string
	// LockTimeout is how long to wait for the lock at most. Zero means 30 seconds.
	LockTimeout time.Duration
}

// Store is a [tokens.Store] in the keyring. It is safe for concurrent use, also by
// several processes.
type Store struct{ files *place.Store }

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It touches neither file nor keyring.
func New(config Config) (*Store, error) { return open(config, system{}) }

func open(config Config, ring ring) (*Store, error) {
	kind := place.Kind{Package: "keyringstore", Extension: ".keyring", Backend: backend{ring}, NoRecords: true}
	files, err := place.New(kind, place.Config{AppName: config.AppName, Dir: config.Dir, LockTimeout: config.LockTimeout})
	if err != nil {
		return nil, err
	}
	return &Store{files}, nil
}

// Load returns what is stored under key. See [tokens.Store].
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	return s.files.Load(ctx, key)
}

// Update replaces what is stored under key by what fn makes of it. See
// [tokens.Store]. An fn that changes nothing tests whether an update could be stored.
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	return s.files.Update(ctx, key, fn)
}

// Delete removes what is stored under key. See [tokens.Store].
func (s *Store) Delete(ctx context.Context, key tokens.Key) error { return s.files.Delete(ctx, key) }

// Keys returns the keys under which something is stored. See [tokens.Store].
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) { return s.files.Keys(ctx) }
