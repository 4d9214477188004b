package flows

import (
	"errors"

	"github.com/globusauth/globusauth/internal/check"
)

// CheckError is the check that refused a login or a response: one of the variables of
// this package, or of package idtoken where an ID token was refused. Compare with errors.Is,
// such as errors.Is(err, flows.ErrState), or get the name, say for a metric, with
// errors.AsType[flows.CheckError]. It is comparable, and the same type as idtoken.CheckError.
type CheckError = check.Error

var (
	// ErrLoginExpired says that the login is older than one hour. Start a new one.
	ErrLoginExpired = check.New("expired")
	// ErrState says that the callback carries no state, or that of another login. It may
	// be forged.
	ErrState = check.New("state")
	// ErrIssuer says that the callback (RFC 9207) or the ID token comes from another server.
	ErrIssuer = check.New("iss")
	// ErrCallback says that the callback or the code is malformed: a parameter of OAuth2
	// twice, both a code and an error, or an invalid code.
	ErrCallback = check.New("callback")
	// ErrStored says that the data given to Resume is not a login of this client.
	ErrStored = check.New("stored")
	// ErrToken says that the response holds no usable token, or none for the resource
	// server of the token that is refreshed.
	ErrToken = check.New("token")
	// ErrIdentity says that the tokens are for another identity than expected, for
	// several, or for an unknown one although openid was requested.
	ErrIdentity = check.New("identity")
)

// redactedError hides a cause whose text holds a secret from everything but
// errors.Is and errors.As.
type redactedError struct {
	error // the text

	cause func() error
}

func (e redactedError) Is(target error) bool { return errors.Is(e.cause(), target) }
func (e redactedError) As(target any) bool   { return errors.As(e.cause(), target) }
