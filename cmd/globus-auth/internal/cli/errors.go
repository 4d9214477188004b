package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// Exit codes of the command.
const (
	ExitOK            = 0
	ExitFailed        = 1
	ExitUsage         = 2
	ExitNotFound      = 3
	ExitNotLoggedIn   = 4
	ExitAuthorization = 5
	ExitUnavailable   = 6
	ExitInterrupted   = 130 // as in shells
)

// exitCodes are the exit codes and their meanings.
func exitCodes() table {
	return table{
		{"0", "success"},
		{"1", "failure of another kind"},
		{"2", "invalid command line, environment or configuration"},
		{"3", "not found"},
		{"4", "not logged in, or the credentials are no longer valid: run login"},
		{"5", "the login is not sufficient: a scope, consent or session is missing"},
		{"6", "the service is down, overloaded or cannot be reached: try again later"},
		{"130", "interrupted by Ctrl-C or another signal"},
	}
}

// exitCode is the exit code of an error.
func exitCode(ctx context.Context, err error) int {
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
	own, isOwn := errors.AsType[*problem](err)
	switch {
	case ctx.Err() != nil:
		return ExitInterrupted
	case isOwn && own.code != 0:
		return own.code
	case is(app.ErrIdentityMismatch):
		return ExitFailed
	case is(app.ErrUnmetScopes, apierror.ErrAuthorizationRequired, apierror.ErrConsentRequired):
		return ExitAuthorization
	case is(tokens.ErrLoginRequired, globusauth.ErrNoCredentials, apierror.ErrInvalidGrant,
		apierror.ErrInvalidClient, apierror.ErrUnauthorized):
		return ExitNotLoggedIn
	case is(apierror.ErrNotFound, identitymap.ErrNoIdentity):
		return ExitNotFound
	case is(apierror.ErrServer, apierror.ErrRateLimited), noResponse(err):
		return ExitUnavailable
	}
	return ExitFailed
}

// noResponse reports whether a request had no response.
func noResponse(err error) bool {
	connection, ok := errors.AsType[*net.OpError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return ok && connection.Op != "listen" || certificate || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// problem is an error in the words of the command. The words, the error, or both are set; neither if
// what is wrong is printed already.
type problem struct {
	words string
	err   error
	code  int // 0: that of err
}

func (p *problem) Error() string {
	if p.err == nil {
		return p.words
	}
	return strings.TrimPrefix(p.words+": "+p.err.Error(), ": ")
}

func (p *problem) Unwrap() error { return p.err }

func isProblem(err error) bool {
	_, ok := errors.AsType[*problem](err)
	return ok
}

func usagef(format string, args ...any) error {
	return &problem{words: fmt.Sprintf(format, args...), code: ExitUsage}
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
	case refused && refusal.Authorization != nil:
		text = fmt.Sprintf("%s: run %q", said(refusal), r.again(remedy(refusal.Authorization)))
	case errors.Is(err, tokens.ErrLoginRequired) && refused:
		text = fmt.Sprintf("%v: %s: run %q", tokens.ErrLoginRequired, said(refusal), r.againWith("", "login"))
	case errors.Is(err, tokens.ErrLoginRequired):
		text = fmt.Sprintf("%s: run %q", from(tokens.ErrLoginRequired, err), r.againWith("", "login"))
	case errors.Is(err, tokens.ErrUnreadable):
		text = fmt.Sprintf("%s: run %q first", cause(err), r.againWith("", "logout --forget"))
	case refused:
		plain := *refusal
		plain.Operation = ""
		text = cause(&plain)
	default:
		text = cause(err)
	}
	return strings.NewReplacer("Config.BaseURL", r.addressName(), "set Dir or Path", "use --store-dir").Replace(text)
}

// said is what the service said, without the advice of the library.
func said(refusal *apierror.Error) string {
	plain := *refusal
	plain.Operation, plain.Authorization = "", nil
	text, _, _ := strings.Cut(cause(&plain), "; ")
	return text
}

// again is a command line that acts on the same login: it has the flags that chose it.
func (r *runner) again(command string) string {
	command = appName + " " + command
	if r.shared == nil {
		return command
	}
	r.shared.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed {
			command += " --" + flag.Name + " " + shellWord(flag.Value.String())
		}
	})
	return command
}

// againWith is again for a command that needs a client, which is empty if it is unknown.
func (r *runner) againWith(client, command string) string {
	if r.clientID == "" {
		command += " --client-id " + cmp.Or(client, "ID")
	}
	return r.again(command)
}

// harmless are words that mean nothing to a shell.
var harmless = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9@._:/,+-]+$`) })

// shellWord is a value of the user as one word of a shell.
func shellWord(value string) string {
	if harmless().MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// remedy is the command that meets what a service requires of the login. Users may paste it into a shell, so it
// has only values that mean nothing to one.
func remedy(required *apierror.AuthorizationParameters) string {
	if scopes := strings.Join(required.RequiredScopes, " "); regexp.MustCompile(`^[A-Za-z0-9._:/*\[\] -]+$`).MatchString(scopes) {
		return "session consent '" + scopes + "'"
	}
	command := "session update"
	add := func(flag string, values []string) {
		if list := strings.Join(values, ","); harmless().MatchString(list) {
			command += " --" + flag + " " + list
		}
	}
	add("session-identities", required.SessionRequiredIdentities)
	add("session-policies", required.SessionRequiredPolicies)
	add("session-single-domain", required.SessionRequiredSingleDomain)
	if required.SessionRequiredMFA != nil && *required.SessionRequiredMFA {
		command += " --session-mfa"
	}
	return command
}

// addressName is what sets the address of the service.
func (r *runner) addressName() string {
	if r.baseURL == "" {
		return "GLOBUS_SDK_SERVICE_URL_AUTH"
	}
	return "--base-url"
}

// operation is what a package of the library puts before an error: its name, and what was called.
var operation = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]+: (?:[A-Z][a-z]+[A-Za-z]*: )?`) })

// from is the text of an error from a sentinel on, without what led there.
func from(sentinel, err error) string {
	_, reason, found := strings.Cut(err.Error(), sentinel.Error()+": ")
	if !found {
		return sentinel.Error()
	}
	return sentinel.Error() + ": " + operation().ReplaceAllString(reason, "")
}

// cause is the text of the first error that says more than what was attempted.
func cause(err error) string {
	wrapped := reflect.TypeOf(fmt.Errorf("%w", io.EOF))
	for {
		inner := errors.Unwrap(err)
		called, ok := errors.AsType[*prefix.Error](err)
		named := ok && error(called) == err //nolint:errorlint // the outermost: the user called the command
		if !named && (reflect.TypeOf(err) != wrapped || !strings.HasSuffix(err.Error(), ": "+inner.Error())) {
			break
		}
		err = inner
	}
	return operation().ReplaceAllString(err.Error(), "")
}
