package resourceserver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxTokenBytes limits a token. Those of Globus Auth have about 100 bytes.
const maxTokenBytes = 4096

// Protect returns a handler that lets requests through to next if their caller meets
// the rules of the Config and these. [Caller] returns the caller from the request's context.
//
// It panics if a rule is invalid, as http.ServeMux.Handle does for a pattern.
func (a *API) Protect(next http.Handler, rules ...Rule) http.Handler {
	return a.handler(next, rules, false)
}

// Optional is Protect for a handler that serves anonymous requests too: a request without an
// Authorization header is let through, [Caller] is nil then. A request with an invalid
// token is denied.
func (a *API) Optional(next http.Handler, rules ...Rule) http.Handler {
	return a.handler(next, rules, true)
}

func (a *API) handler(next http.Handler, rules []Rule, optional bool) http.Handler {
	set := slices.Clone(ruleSet(rules))
	if err := a.admit(set); err != nil {
		panic(fmt.Sprintf("resourceserver: %v", err))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if optional && len(r.Header["Authorization"]) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		with := &callerContext{Context: ctx}
		token, err := bearer(r.Header)
		if err == nil {
			err = a.authenticate(ctx, token, &with.caller)
		}
		if err == nil {
			err = require(ctx, &with.caller, a.config.Rules, set)
		}
		if err != nil {
			a.Deny(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(with)) //nolint:contextcheck // It is the request's context, with the caller.
	})
}

// FromRequest returns the caller of a request, for programs that do not use Protect. The
// caller meets the rules of the Config and these. The error is a [*DeniedError] for [API.Deny],
// unless a rule is invalid.
func (a *API) FromRequest(r *http.Request, rules ...Rule) (*CallerInfo, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return nil, err
	}
	return a.Authenticate(r.Context(), token, rules...)
}

// Authenticate is FromRequest for an access token that came by other means than an HTTP request.
func (a *API) Authenticate(ctx context.Context, token string, rules ...Rule) (*CallerInfo, error) {
	if err := a.admit(rules); err != nil {
		return nil, prefixed("authenticate", err)
	}
	caller := &CallerInfo{}
	if err := a.authenticate(ctx, token, caller); err != nil {
		return nil, err
	}
	if err := require(ctx, caller, a.config.Rules, rules); err != nil {
		return nil, err
	}
	return caller, nil
}

func (a *API) authenticate(ctx context.Context, token string, caller *CallerInfo) error {
	if !isToken(token) {
		return errInvalid()
	}
	key := a.keyOf(token)
	identity, err := a.identify(ctx, token, key)
	if err != nil {
		return err
	}
	caller.Identity, caller.api, caller.token, caller.key = identity, a, token, key
	return nil
}

// bearer returns the token of an Authorization header (RFC 6750 section 2.1). Its scheme
// is compared without regard to case (RFC 9110 section 11.1).
func bearer(header http.Header) (string, error) {
	values := header["Authorization"]
	switch {
	case len(values) == 0:
		return "", &DeniedError{Status: http.StatusUnauthorized, Message: "a token is required"}
	case len(values) > 1:
		return "", &DeniedError{Status: http.StatusBadRequest, Code: invalidRequest, Message: "the request has more than one Authorization header"}
	}
	scheme, token, found := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", &DeniedError{Status: http.StatusUnauthorized, Message: "a Bearer token is required"}
	case !found || token == "" || strings.ContainsAny(token, " ,\t"):
		return "", &DeniedError{Status: http.StatusBadRequest, Code: invalidRequest, Message: "the Authorization header must be one Bearer token"}
	}
	return token, nil
}

// isToken reports whether text is a b64token (RFC 6750 section 2.1) of bounded length.
func isToken(text string) bool {
	body := strings.TrimRight(text, "=")
	if body == "" || len(text) > maxTokenBytes {
		return false
	}
	for i := range len(body) {
		c := body[i]
		letter, digit := 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9'
		if !letter && !digit && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return true
}
