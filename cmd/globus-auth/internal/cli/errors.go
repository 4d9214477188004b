package cli

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// errReported ends a command whose errors are printed already.
var errReported = errors.New("reported")

// problem is an error in the words of the command. The words, the error, or both are set.
type problem struct {
	words string
	err   error
	usage bool // the command line or the environment is invalid
}

func (p *problem) Error() string {
	if p.err == nil {
		return p.words
	}
	return strings.TrimPrefix(p.words+": "+p.err.Error(), ": ")
}

func (p *problem) Unwrap() error { return p.err }

func usagef(format string, args ...any) error {
	return &problem{words: fmt.Errorf(format, args...).Error(), usage: true}
}

func failf(format string, args ...any) error {
	return &problem{words: fmt.Sprintf(format, args...)}
}

// text is an error as one sentence in terms of flags, or with --verbose as the whole chain.
func (r *runner) text(err error) string {
	if r.verbose {
		return err.Error()
	}
	if own, ok := errors.AsType[*problem](err); ok {
		if own.err == nil {
			return own.words
		}
		return strings.TrimPrefix(own.words+": "+r.text(own.err), ": ")
	}
	text := ""
	refusal, refused := errors.AsType[*apierror.Error](err)
	switch {
	case errors.Is(err, app.ErrIdentityMismatch):
		text = from(app.ErrIdentityMismatch, err) + `: run "globus-auth logout" first, or choose another --profile`
	case errors.Is(err, tokens.ErrLoginRequired):
		text = from(tokens.ErrLoginRequired, err) + `: run "globus-auth login --client-id ID"`
	case errors.Is(err, tokens.ErrUnreadable):
		text = cause(err) + `: run "globus-auth logout --forget" first`
	case refused:
		plain := *refusal
		plain.Operation = ""
		text = cause(&plain)
	default:
		text = cause(err)
	}
	return strings.ReplaceAll(text, "Config.BaseURL", r.addressName())
}

// addressName is what sets the address of the service.
func (r *runner) addressName() string {
	if r.baseURL == "" {
		return "GLOBUS_SDK_SERVICE_URL_AUTH"
	}
	return "--base-url"
}

// operation is what a package of the library puts before an error: its name, and what was called.
var operation = regexp.MustCompile(`^[a-z]+: (?:[A-Z][a-z]+[A-Za-z]*: )?`)

// from is the text of an error from a sentinel on, without what led there.
func from(sentinel, err error) string {
	_, reason, found := strings.Cut(err.Error(), sentinel.Error()+": ")
	if !found {
		return sentinel.Error()
	}
	return sentinel.Error() + ": " + operation.ReplaceAllString(reason, "")
}

// cause is the text of the first error that says more than what was attempted.
func cause(err error) string {
	if called, ok := errors.AsType[*prefix.Error](err); ok && strings.HasPrefix(err.Error(), "app: ") {
		err = called.Unwrap() // the user called the command
	}
	for reflect.TypeOf(err) == reflect.TypeOf(fmt.Errorf("%w", io.EOF)) {
		inner := errors.Unwrap(err)
		if !strings.HasSuffix(err.Error(), ": "+inner.Error()) {
			break
		}
		err = inner
	}
	return operation.ReplaceAllString(err.Error(), "")
}
