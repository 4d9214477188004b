package resourceserver

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
)

// Error codes of RFC 6750 section 3.1.
const (
	invalidRequest    = "invalid_request"
	invalidToken      = "invalid_token"
	insufficientScope = "insufficient_scope"
)

// DeniedError is why a request is not let through, and the response to it. It contains no token.
// Custom rules ([Check]) may return one.
type DeniedError struct {
	// Status is the HTTP status: 400 for a malformed request, 401 without a valid token, 403 for a caller who
	// does not meet a rule, 503 if Globus Auth or Globus Groups is not available, 500 for a mistake in the program.
	Status int
	// Code is a name for programs. For 400 and 401 that of RFC 6750 section 3.1; empty
	// for a request without a token.
	Code string
	// Message is a sentence for people, sent with the response.
	Message string
	// Rule names the rules that are not met, separated by commas. It is logged, not sent.
	Rule string
	// Requirement is what a new login must do, with all requirements that are not met; nil if no login
	// can help. It is the body of the response.
	Requirement *apierror.Requirement

	scope      string // of WWW-Authenticate
	retryAfter time.Duration
	cause      error
}

// Error says what is wrong, and the cause, which is not sent.
func (d *DeniedError) Error() string {
	text := "resourceserver: denied with status " + strconv.Itoa(d.Status) + ": " + d.Message
	if d.Rule != "" {
		text += " (rule " + d.Rule + ")"
	}
	if d.cause != nil {
		text += ": " + d.cause.Error()
	}
	return text
}

// Unwrap returns the cause, such as an error of the service.
func (d *DeniedError) Unwrap() error { return d.cause }

// ServeHTTP writes the response.
func (d *DeniedError) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if challenge := d.challenge(); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if d.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((d.retryAfter+time.Second-1)/time.Second)))
	}
	var body any = d.Requirement
	if d.Requirement == nil {
		code := d.Code
		if code == "" {
			code = http.StatusText(d.Status)
		}
		body = map[string]string{"code": code, "message": d.Message}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(d.Status)
	_ = json.NewEncoder(w).Encode(body) // A client that left is not our failure.
}

// challenge is the WWW-Authenticate header, empty if there is none.
func (d *DeniedError) challenge() string {
	code := d.Code
	switch {
	case d.scope != "":
		code = insufficientScope
	case d.Status != http.StatusUnauthorized && d.Status != http.StatusBadRequest:
		return ""
	}
	var parameters []string
	if code != "" {
		parameters = append(parameters, "error="+quoted(code), "error_description="+quoted(d.Message))
	}
	if d.scope != "" {
		parameters = append(parameters, "scope="+quoted(d.scope))
	}
	return strings.TrimSpace("Bearer " + strings.Join(parameters, ", "))
}

// quoted leaves out what RFC 6750 section 3 does not allow in these parameters.
func quoted(text string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, text) + `"`
}

// failed is the response to a request that failed for a reason that does not concern the caller.
func failed(cause error) *DeniedError {
	return &DeniedError{Status: http.StatusInternalServerError, Code: "InternalError", Message: "the request failed", cause: cause}
}

// Deny writes the response to a request that failed with err, as Protect does: that of
// a [*DeniedError], else status 500 without details. It logs the denial without the token: a failure at
// level Error, a caller who does not meet a rule at Info, a missing or invalid token at Debug.
func (a *API) Deny(w http.ResponseWriter, r *http.Request, err error) {
	denial, ok := errors.AsType[*DeniedError](err)
	if !ok {
		denial = failed(err)
	}
	level := slog.LevelInfo
	switch {
	case r.Context().Err() != nil || denial.Status < http.StatusForbidden: // The client left, or any stranger can cause it.
		level = slog.LevelDebug
	case denial.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	a.log.LogAttrs(r.Context(), level, "resourceserver: request denied",
		slog.Int("status", denial.Status), slog.String("code", denial.Code), slog.String("rule", denial.Rule), slog.Any("cause", denial.cause))
	a.config.Observer.Denied(denial.Status, denial.Rule)
	a.config.Deny(w, r, denial)
}
