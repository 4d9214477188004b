package apierror

import (
	"errors"
	"net/http"
	"strings"
)

// Classes by HTTP status, to be tested for with [errors.Is].
var (
	// ErrBadRequest is status 400.
	ErrBadRequest = errors.New("bad request")
	// ErrUnauthorized is status 401: no credentials, or none that are valid.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden is status 403.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is status 404.
	ErrNotFound = errors.New("not found")
	// ErrConflict is status 409.
	ErrConflict = errors.New("conflict")
	// ErrRateLimited is status 429; RetryAfter says how long to wait.
	ErrRateLimited = errors.New("rate limited")
	// ErrServer is any status from 500, and the codes server_error and
	// temporarily_unavailable at a redirect URI (RFC 6749 section 4.1.2.1).
	ErrServer = errors.New("server error")
)

// Classes by error code, to be tested for with [errors.Is]. They match at a
// redirect URI (no status) and on every status below 500, since the service
// uses 400, 401 and 403 for them; letter case is ignored.
var (
	// ErrInvalidRequest is a malformed OAuth2 request (RFC 6749 section 5.2).
	ErrInvalidRequest = errors.New("invalid_request")
	// ErrInvalidClient is a wrong client ID or secret (RFC 6749 section 5.2),
	// also in the form that Globus Auth gives it: status 401 and "Basic auth
	// failed".
	ErrInvalidClient = errors.New("invalid_client")
	// ErrInvalidGrant is a code or refresh token that is expired, revoked, used
	// up or another client's (RFC 6749 section 5.2). It is final: log in again.
	ErrInvalidGrant = errors.New("invalid_grant")
	// ErrUnauthorizedClient is a client that may not use this grant
	// (RFC 6749 section 5.2).
	ErrUnauthorizedClient = errors.New("unauthorized_client")
	// ErrUnsupportedGrantType is a grant that the service does not know
	// (RFC 6749 section 5.2).
	ErrUnsupportedGrantType = errors.New("unsupported_grant_type")
	// ErrUnsupportedResponseType is a response type that the service does not
	// know (RFC 6749 section 4.1.2.1).
	ErrUnsupportedResponseType = errors.New("unsupported_response_type")
	// ErrInvalidScope is an unknown or malformed scope (RFC 6749 section 5.2).
	ErrInvalidScope = errors.New("invalid_scope")
	// ErrAccessDenied is a person or a server that said no
	// (RFC 6749 section 4.1.2.1).
	ErrAccessDenied = errors.New("access_denied")
	// ErrInvalidToken is an access token that is expired, revoked or malformed
	// (RFC 6750 section 3.1).
	ErrInvalidToken = errors.New("invalid_token")
	// ErrInsufficientScope is an access token without the scope that the call
	// needs (RFC 6750 section 3.1).
	ErrInsufficientScope = errors.New("insufficient_scope")
	// ErrInteractionRequired is a login that cannot do without showing a page
	// (OpenID Connect Core section 3.1.2.6).
	ErrInteractionRequired = errors.New("interaction_required")
	// ErrLoginRequired is a login that cannot do without authentication
	// (OpenID Connect Core section 3.1.2.6).
	ErrLoginRequired = errors.New("login_required")
	// ErrConsentRequired is a missing consent: consent_required at a redirect
	// URI (OpenID Connect Core section 3.1.2.6), dependent_consent_required of
	// the dependent token grant, ConsentRequired of other Globus services.
	ErrConsentRequired = errors.New("consent required")
)

// ErrAuthorizationRequired is any error that carries authorization parameters
// for a new login, whatever its status and code.
var ErrAuthorizationRequired = errors.New("authorization required")

// Is reports whether the error belongs to the class target, one of the sentinels
// of this package. An error can belong to several classes.
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	switch target {
	case ErrBadRequest:
		return e.StatusCode == http.StatusBadRequest
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrForbidden:
		return e.StatusCode == http.StatusForbidden
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrConflict:
		return e.StatusCode == http.StatusConflict
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError ||
			e.StatusCode == 0 && e.hasCode("server_error", "temporarily_unavailable")
	case ErrAuthorizationRequired:
		return e.Authorization != nil
	case ErrConsentRequired:
		return strings.EqualFold(e.requirementCode, codeConsentRequired) ||
			e.hasCode("consent_required", "dependent_consent_required", codeConsentRequired)
	case ErrInvalidClient:
		return e.hasCode("invalid_client") || e.basicAuthFailed()
	case ErrInvalidRequest, ErrInvalidGrant, ErrUnauthorizedClient, ErrUnsupportedGrantType,
		ErrUnsupportedResponseType, ErrInvalidScope, ErrAccessDenied, ErrInvalidToken,
		ErrInsufficientScope, ErrInteractionRequired, ErrLoginRequired:
		return e.hasCode(target.Error())
	default:
		return false
	}
}

// hasCode does not believe a code beside a status from 500: a failing server
// that says invalid_grant must not make anyone throw a good token away.
func (e *Error) hasCode(codes ...string) bool {
	if e.StatusCode >= http.StatusInternalServerError {
		return false
	}
	for _, code := range codes {
		if strings.EqualFold(e.Code, code) || strings.EqualFold(e.oauthCode, code) {
			return true
		}
	}
	return false
}

// basicAuthFailed recognizes Globus Auth's response to a wrong client secret. Its
// code is that of any 401; the text is the only difference.
func (e *Error) basicAuthFailed() bool {
	return e.StatusCode == http.StatusUnauthorized && strings.EqualFold(e.Message, "Basic auth failed")
}

// hint says what to do next, for the classes where that is clear.
func (e *Error) hint() string {
	switch {
	case e.Is(ErrConsentRequired):
		return "log in again and consent to the required scopes"
	case e.Is(ErrAuthorizationRequired):
		return "log in again as the authorization parameters ask"
	case e.Is(ErrInvalidGrant), e.Is(ErrLoginRequired), e.Is(ErrInteractionRequired):
		return "log in again"
	case e.Is(ErrInvalidClient):
		return "check the client ID and secret"
	case e.Is(ErrUnauthorizedClient), e.Is(ErrUnsupportedGrantType):
		return "check the type of the client's registration"
	case e.Is(ErrInvalidScope):
		return "check the requested scopes"
	case e.Is(ErrInsufficientScope):
		return "get a token with the scope that this call needs"
	case e.Is(ErrUnauthorized), e.Is(ErrInvalidToken):
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
	default:
		return ""
	}
}
