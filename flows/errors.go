package flows

import (
	"errors"
	"fmt"
)

// CheckError is the check that refused a login or a response. Compare with errors.Is,
// such as errors.Is(err, flows.ErrState), or get the name, say for a metric, with
// errors.AsType[flows.CheckError]. It is comparable; its only values are the
// variables of this package.
type CheckError struct{ name string }

// Error returns the name of the check.
func (e CheckError) Error() string { return e.name }

var (
	// ErrExpired says that the login is older than its LoginTimeout. Start a new one.
	ErrExpired = CheckError{"expired"}
	// ErrState says that the callback carries no state, or that of another login. It may
	// be forged.
	ErrState = CheckError{"state"}
	// ErrIssuer says that the callback comes from another server (RFC 9207).
	ErrIssuer = CheckError{"iss"}
	// ErrCallback says that the callback or the code is malformed: a parameter of OAuth2
	// twice, both a code and an error, or an invalid code.
	ErrCallback = CheckError{"callback"}
	// ErrStored says that the data given to Resume is not a login of this client.
	ErrStored = CheckError{"stored"}
	// ErrToken says that the response holds no usable token, or none for the resource
	// server of the token that is refreshed.
	ErrToken = CheckError{"token"}
	// ErrIdentity says that the tokens are for another identity than expected, for
	// several, or for an unknown one although openid was requested.
	ErrIdentity = CheckError{"identity"}
)

// refuse makes the error of one failed check.
func refuse(check CheckError, format string, args ...any) error {
	return fmt.Errorf("%w: %s", check, fmt.Sprintf(format, args...))
}

// redactedError hides a cause whose text holds a secret from everything but
// errors.Is and errors.As.
type redactedError struct {
	text  string
	cause func() error
}

func (e redactedError) Error() string        { return e.text }
func (e redactedError) Is(target error) bool { return errors.Is(e.cause(), target) }
func (e redactedError) As(target any) bool   { return errors.As(e.cause(), target) }
