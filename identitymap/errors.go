package identitymap

import (
	"errors"
	"fmt"

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

func (e *KeyError) Error() string {
	return fmt.Sprintf("identitymap: %.80q: %s", e.Key, prefix.Trim(e.Err)) // cut to what a person can read
}

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }
