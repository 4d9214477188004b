package globusauth

import (
	"crypto/tls"
	"errors"
)

var (
	// ErrNoCredentials means that an operation needs credentials and the
	// client has none, or none of a kind that the operation takes.
	ErrNoCredentials = errors.New("no credentials for this operation")
	// ErrRedirect means that the service redirected to another host, or too
	// often. Nothing was sent there.
	ErrRedirect = errors.New("redirect refused")
	// ErrResponseTooLarge means that an answer was longer than
	// [Config.MaxResponseBytes].
	ErrResponseTooLarge = errors.New("answer too large")
	// ErrMalformedResponse means that an answer with a success status was not
	// the JSON document that the operation promises.
	ErrMalformedResponse = errors.New("malformed answer")
)

func isCertificateError(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
