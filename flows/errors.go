package flows

import (
	"errors"
	"fmt"

	"github.com/globusauth/globusauth/apierror"
)

// CheckError is the check that refused a login or a response. Compare with errors.Is,
// such as errors.Is(err, flows.ErrState), or get the name, say for a metric, with
// errors.AsType[flows.CheckError]. It is comparable; its only values are the
// variables of this package.
type CheckError struct{ name string }

// Error returns the name of the check.
func (e CheckError) Error() string { return e.name }

// The checks of a login and its callback. A new login may succeed.
var (
	// ErrExpired: the login is older than its LoginTimeout.
	ErrExpired = CheckError{"expired"}
	// ErrStateMissing: the callback carries no state.
	ErrStateMissing = CheckError{"state missing"}
	// ErrState: the callback belongs to another login, or is forged.
	ErrState = CheckError{"state"}
	// ErrIssuer: the callback comes from another server (RFC 9207).
	ErrIssuer = CheckError{"iss"}
	// ErrRepeated: the callback holds a parameter of OAuth2 twice.
	ErrRepeated = CheckError{"repeated"}
	// ErrCodeAndError: the callback reports success and failure.
	ErrCodeAndError = CheckError{"code and error"}
	// ErrCodeMissing: the callback holds neither code nor error, or the code is empty.
	ErrCodeMissing = CheckError{"code missing"}
	// ErrCode: the code has characters or a length that no code has.
	ErrCode = CheckError{"code"}
	// ErrCodePage: FinishCode on a login whose redirect brings state back.
	ErrCodePage = CheckError{"code page"}
	// ErrNotStarted: a zero Login.
	ErrNotStarted = CheckError{"not started"}
	// ErrStored: what Resume was given is not a login of this client.
	ErrStored = CheckError{"stored"}
)

// The checks of a response of the token endpoint.
var (
	// ErrToken: no usable token for a resource server that was asked for.
	ErrToken = CheckError{"token"}
	// ErrIDTokenMissing: openid was asked for and no ID token came.
	ErrIDTokenMissing = CheckError{"id_token missing"}
	// ErrIdentity: the tokens are for another identity than the one before, or for
	// several.
	ErrIdentity = CheckError{"identity"}
	// ErrResourceServer: a refreshed token is for another resource server than the one before.
	ErrResourceServer = CheckError{"resource server"}
)

// refuse makes the error of one failed check.
func refuse(check CheckError, format string, args ...any) error {
	return fmt.Errorf("%w: %s", check, fmt.Sprintf(format, args...))
}

// redactError removes secrets that the client behind the operation does not know of
// from what a service reported.
func redactError(err error, secrets ...string) error {
	if answer, ok := errors.AsType[*apierror.Error](err); ok {
		return answer.Redact(secrets...)
	}
	return err
}

// cleaned is an error of which only errors.Is and errors.As see the cause, since its
// text holds a secret.
type cleaned struct {
	text  string
	cause func() error
}

func (e cleaned) Error() string        { return e.text }
func (e cleaned) Is(target error) bool { return errors.Is(e.cause(), target) }
func (e cleaned) As(target any) bool   { return errors.As(e.cause(), target) }
