package globusauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/redact"
)

var (
	// ErrNoCredentials means that an operation needs credentials that the client
	// does not have.
	ErrNoCredentials = errors.New("no credentials for this operation")
	// ErrRedirect means that the service redirected to another host, or too
	// often. Nothing was sent there.
	ErrRedirect = errors.New("redirect refused")
	// ErrResponseTooLarge means that a response was longer than 8 MiB, or that its values
	// would take more than 6 MiB of memory.
	ErrResponseTooLarge = errors.New("response too large")
	// ErrMalformedResponse means that a response with a success status was not
	// the JSON document that the operation promises.
	ErrMalformedResponse = errors.New("malformed response")
)

// maxErrorText is how long the text of an error may be, in bytes: as that of an
// [apierror.Error].
const maxErrorText = 1200

// callError is every failure of a call that is not an [apierror.Error]. Its text
// contains no secret and no query of a URL and is bounded. Only [errors.Is] and
// [errors.As] see the cause, since its text can contain anything; a function hides it
// from what prints by reflection.
type callError struct {
	text  string
	cause func() error
	// lost means that no response came, so that a retry may succeed; unsent, that
	// the service cannot have acted on the request.
	lost, unsent bool
}

func (e *callError) Error() string        { return e.text }
func (e *callError) Is(target error) bool { return errors.Is(e.cause(), target) }
func (e *callError) As(target any) bool   { return errors.As(e.cause(), target) }

// failed makes the error of a call.
func (x *exchange) failed(cause error) *callError {
	text := redact.New(x.secrets...).Text("globusauth: " + x.op.id + ": " + cause.Error())
	text = queries.ReplaceAllString(text, "$1"+redact.Mark)
	return &callError{text: redact.Line(text, maxErrorText), cause: func() error { return cause }}
}

// queries finds what follows the ? or # of a URL.
var queries = regexp.MustCompile(`([?#])[^\s"'<>]*=[^\s"'<>]*`)

// lost makes the error of a request without a response.
func (x *exchange) lost(ctx context.Context, err error, unsent bool) *callError {
	if outer, ok := errors.AsType[*url.Error](err); ok { // contains the URL with its query
		err = outer.Err
	}
	if errors.Is(err, ErrRedirect) || errors.Is(err, ErrResponseTooLarge) {
		return x.failed(err)
	}
	late, _ := errors.AsType[net.Error](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	what := "no response from"
	switch {
	case unsent:
		what = "cannot reach"
	case late != nil && late.Timeout():
		what = "no response in time from"
	}
	failed := x.failed(fmt.Errorf("%s %s: %w", what, x.client.address, err))
	failed.lost, failed.unsent = ctx.Err() == nil && !certificate && !errors.Is(err, errProxy), unsent
	return failed
}

// errProxy is a proxy that refused to connect to the service.
var errProxy = errors.New("the proxy refused the connection")

// reported is the error that the service reports in a response.
func (x *exchange) reported(got response) *apierror.Error {
	return apierror.FromResponse(x.op.id, got.status, got.header, got.body, x.secrets...)
}

// malformed is the error of a successful response that cannot be decoded. A page of
// another type is an [apierror.Error] with its body, which tells its origin.
func (x *exchange) malformed(got response, err error) *callError {
	media := got.header.Get("Content-Type")
	switch {
	case errors.Is(err, ErrResponseTooLarge):
		return x.failed(err)
	case media != "" && !strings.Contains(media, "json"):
		page := x.reported(got)
		failed := x.failed(fmt.Errorf("%w%w", ErrMalformedResponse, page))
		failed.text = page.Error()
		return failed
	}
	return x.failed(fmt.Errorf("%w (status %d, %d bytes): %w", ErrMalformedResponse, got.status, len(got.body), err))
}
