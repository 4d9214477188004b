package flows

import (
	"errors"
	"fmt"

	"github.com/globusauth/globusauth/apierror"
)

// CheckError names the check that refused a login or an answer. It is
// comparable: test for one with errors.Is(err, flows.CheckError("state")), or get
// the name with errors.AsType[flows.CheckError]. After any of the first two
// groups a new login may succeed; the same one may not.
//
// Of a login and its callback:
//
//	expired            the login is older than LoginTimeout
//	state missing      the callback carries no state
//	state              the callback answers another login, or a forged one
//	iss                the callback comes from another server (RFC 9207)
//	repeated           the callback holds a parameter twice
//	code and error     the callback reports success and failure
//	code missing       the callback holds neither code nor error, or the code is empty
//	code               the code has characters or a length that no code has
//	code page          FinishCode on a login whose redirect brings state back
//	not started        a zero Login
//	stored             what Resume was given is not a login of this client
//
// Of an answer of the token endpoint:
//
//	token              no access token, no resource server, or one of another kind than Bearer
//	id_token missing   openid was asked for and no ID token came
//	identity           a refreshed token is for another person than the one before
//	resource server    a refreshed token is for another resource server than the one before
type CheckError string

// Error returns the name of the check.
func (e CheckError) Error() string { return string(e) }

// ErrExpired is the check of a login that was finished too late.
const ErrExpired = CheckError("expired")

const (
	errStateMissing   = CheckError("state missing")
	errState          = CheckError("state")
	errIssuer         = CheckError("iss")
	errRepeated       = CheckError("repeated")
	errCodeAndError   = CheckError("code and error")
	errCodeMissing    = CheckError("code missing")
	errCode           = CheckError("code")
	errCodePage       = CheckError("code page")
	errNotStarted     = CheckError("not started")
	errStored         = CheckError("stored")
	errToken          = CheckError("token")
	errIDTokenMissing = CheckError("id_token missing")
	errIdentity       = CheckError("identity")
	errResourceServer = CheckError("resource server")
)

// refuse makes the error of one failed check.
func refuse(check CheckError, format string, args ...any) error {
	return fmt.Errorf("%w: %s", check, fmt.Sprintf(format, args...))
}

// redact removes secrets that the client behind the operation does not know of
// from what a service answered.
func redact(err error, secrets ...string) error {
	if answer, ok := errors.AsType[*apierror.Error](err); ok {
		return answer.Redact(secrets...)
	}
	return err
}
