// Package keyringstore keeps tokens in files ([Store]) that are sealed with a key in the keyring of the operating
// system: the Keychain of macOS, the Credential Manager of Windows, the Secret Service (GNOME
// Keyring, KWallet) elsewhere. Without the keyring, the files and their backups are
// of no use. Without a keyring, such as on a login node, every call fails before a token is used.
//
// The promises are those of package filestore. A file ("tokens.keyring") has a key of its own, one item of
// the keyring, which names the path of the file. All that is written is sealed (AES-256-GCM), also
// the temporary files: no token that can be read is in a file, not even for a moment. A file whose
// key is missing or another is [tokens.ErrUnreadable].
//
// A keyring can ask the person to unlock it. Calls wait for that without regard to
// their context. Tokens are not shared with the Python SDK, which does not use keyrings.
package keyringstore

import (
	"time"

	"github.com/zalando/go-keyring"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
	"github.com/globusauth/globusauth/tokens/internal/files/jsonfile"
)

// Config says whose tokens a [Store] keeps, and where its files are.
type Config struct {
	// AppName names the app. Programs of one name share the logins. Required.
	AppName string
	// Dir is used instead of ~/.globus/app.
	Dir string
	// LockTimeout is how long to wait for the lock at most. Zero means 30 seconds.
	LockTimeout time.Duration
}

// Store is a [tokens.Store] in sealed files, as that of package filestore. It is safe for concurrent use, also by
// several processes.
type Store struct{ tokens.Store }

// New checks the configuration. It touches neither file nor keyring.
func New(config Config) (*Store, error) { return open(config, ring{keyring.Get, keyring.Set}) }

func open(config Config, ring ring) (*Store, error) {
	kind := files.Kind{Package: "keyringstore", Extension: ".keyring", Backend: jsonfile.Backend{}, Sealer: ring}
	store, err := files.New(kind, files.Config{AppName: config.AppName, Dir: config.Dir, LockTimeout: config.LockTimeout})
	if err != nil {
		return nil, err
	}
	return &Store{store}, nil
}
