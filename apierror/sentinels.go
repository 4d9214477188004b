package apierror

import (
	"net/http"
	"slices"
	"strings"
)

// Classes by HTTP status, for [errors.Is].
var (
	// ErrBadRequest is status 400.
	ErrBadRequest error = byStatus(http.StatusBadRequest)
	// ErrUnauthorized is status 401: credentials are missing or invalid.
	ErrUnauthorized error = byStatus(http.StatusUnauthorized)
	// ErrForbidden is status 403.
	ErrForbidden error = byStatus(http.StatusForbidden)
	// ErrNotFound is status 404.
	ErrNotFound error = byStatus(http.StatusNotFound)
	// ErrConflict is status 409.
	ErrConflict error = byStatus(http.StatusConflict)
	// ErrRateLimited is status 429; RetryAfter tells how long to wait.
	ErrRateLimited error = byStatus(http.StatusTooManyRequests)
	// ErrServer is any status from 500, and the codes server_error and
	// temporarily_unavailable at a redirect URI (RFC 6749 section 4.1.2.1).
	ErrServer error = &class{"server error", func(e *Error) bool {
		return e.StatusCode >= http.StatusInternalServerError ||
			e.StatusCode == 0 && e.hasCode("server_error", "temporarily_unavailable")
	}}
)

// Classes by error code, for [errors.Is]. They match at a redirect URI (no status)
// and on every status below 500, since the service uses 400, 401 and 403 for them.
// Letter case is ignored. For other codes, compare [Error.Code].
var (
	// ErrInvalidClient is a wrong client ID or secret (RFC 6749 section 5.2). Globus
	// Auth reports it as status 401 and "Basic auth failed" too.
	ErrInvalidClient error = &class{"invalid_client", func(e *Error) bool {
		return e.hasCode("invalid_client") || e.StatusCode == http.StatusUnauthorized && strings.EqualFold(e.Message, "Basic auth failed")
	}}
	// ErrInvalidGrant is a code or refresh token that is expired, revoked, already
	// used or another client's (RFC 6749 section 5.2). It is final: log in again.
	ErrInvalidGrant error = byCode("invalid_grant")
	// ErrUnauthorizedClient is a client that may not use this grant
	// (RFC 6749 section 5.2).
	ErrUnauthorizedClient error = byCode("unauthorized_client")
	// ErrInvalidScope is an unknown or malformed scope (RFC 6749 section 5.2).
	ErrInvalidScope error = byCode("invalid_scope")
	// ErrAccessDenied means that the user or the server denied the request
	// (RFC 6749 section 4.1.2.1).
	ErrAccessDenied error = byCode("access_denied")
	// ErrConsentRequired is a missing consent: consent_required at a redirect
	// URI (OpenID Connect Core section 3.1.2.6), dependent_consent_required of
	// the dependent token grant, ConsentRequired of other Globus services.
	ErrConsentRequired error = &class{"consent required", func(e *Error) bool {
		return strings.EqualFold(e.requirementCode, codeConsentRequired) ||
			e.hasCode("consent_required", "dependent_consent_required", codeConsentRequired)
	}}
)

// ErrAuthorizationRequired is any error with authorization parameters for a new
// login, whatever its status and code.
var ErrAuthorizationRequired error = &class{"authorization required", func(e *Error) bool { return e.Authorization != nil }}

// class is a sentinel and the errors that it matches.
type class struct {
	text    string
	matches func(e *Error) bool
}

func (c *class) Error() string { return c.text }

func byStatus(status int) *class {
	return &class{strings.ToLower(http.StatusText(status)), func(e *Error) bool { return e.StatusCode == status }}
}

func byCode(code string) *class {
	return &class{code, func(e *Error) bool { return e.hasCode(code) }}
}

// Is reports whether the error belongs to the class target, one of the sentinels
// of this package. An error can belong to several classes.
func (e *Error) Is(target error) bool {
	c, ok := target.(*class)
	return ok && c.matches(e)
}

// hasCode ignores the code of a status from 500: a failing server that reports
// invalid_grant must not make a program drop a valid token.
func (e *Error) hasCode(codes ...string) bool {
	return e.StatusCode < http.StatusInternalServerError && slices.ContainsFunc(codes, func(code string) bool {
		return strings.EqualFold(e.Code, code) || strings.EqualFold(e.oauthCode, code)
	})
}

// hint says what to do next, for common classes.
func (e *Error) hint() string {
	switch {
	case e.Is(ErrConsentRequired):
		return "log in again and consent to the required scopes"
	case e.Is(ErrAuthorizationRequired):
		return "log in again with the authorization parameters"
	case e.Is(ErrInvalidGrant), e.hasCode("login_required"):
		return "log in again"
	case e.Is(ErrInvalidClient):
		return "check the client ID and secret"
	case e.Is(ErrUnauthorizedClient):
		return "check the type of the client's registration"
	case e.Is(ErrInvalidScope):
		return "check the requested scopes"
	case e.Is(ErrUnauthorized):
		return "check or renew the credentials"
	case e.Is(ErrRateLimited), e.Is(ErrServer):
		if e.RetryAfter > 0 {
			return "retry after " + e.RetryAfter.String()
		}
		return "retry later"
	case e.foreign:
		return "probably from a proxy or a network login page: check the network and the base URL"
	case e.Is(ErrForbidden):
		return "check the token's scopes and the identity's rights"
	case e.Is(ErrNotFound):
		return "check the ID, and that this identity may see it"
	}
	return ""
}
