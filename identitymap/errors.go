package identitymap

import (
	"errors"
	"strconv"

	"github.com/globusauth/globusauth/internal/prefix"
)

// ErrNoIdentity means that a key has no identity, as far as the map's credentials
// may see.
var ErrNoIdentity = errors.New("no such identity")

// KeyError says why there is no identity for a key: [ErrNoIdentity], the context's
// error, or what the request failed with, such as an *apierror.Error.
type KeyError struct {
	// Key is the key as the caller wrote it.
	Key string
	Err error
}

func (e *KeyError) Error() string { return "identitymap: " + quote(e.Key) + ": " + prefix.Trim(e.Err) }

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// invalidKeyError is ErrNoIdentity for a key that cannot have an identity.
type invalidKeyError struct{ reason string }

func (e *invalidKeyError) Error() string { return ErrNoIdentity.Error() + ": " + e.reason }
func (e *invalidKeyError) Unwrap() error { return ErrNoIdentity }

// quote quotes a key, cut to what a person can read.
func quote(key string) string {
	const most = 80
	if len(key) > most {
		key = key[:most] + "..."
	}
	return strconv.Quote(key)
}
