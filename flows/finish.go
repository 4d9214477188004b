package flows

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"
	"strings"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/internal/redact"
	"github.com/globusauth/globusauth/tokens"
)

// maxCode is the longest code that is sent on, in bytes.
const maxCode = 4096

// isCallbackParameter reports what the server adds to a redirect URI (RFC 6749
// sections 4.1.2 and 4.1.2.1, RFC 9207).
func isCallbackParameter(name string) bool {
	switch name {
	case "code", "state", "error", "error_description", "error_uri", "iss":
		return true
	}
	return false
}

// Finish completes the login with the parameters that came to the redirect URI,
// such as http.Request.URL.Query().
//
// It checks, in this order: that the login is not too old; that no parameter of OAuth2 came
// twice; state, in constant time; iss, where it is present; that there is not both a code and an
// error; the error. Then it exchanges the code, once. Then, if openid was asked for or an ID
// token came, it checks that one came, its signature, issuer, audience, times, nonce and
// at_hash. No part of the response is used before that, and no check can be left out. When the
// ID token is refused, or its keys cannot be had, the tokens that were just issued are revoked:
// this takes at most 10 s more, also when ctx has ended.
//
// The claims are those of the verified ID token, nil where openid was not asked for
// and none came. Tokens that could be read are returned without an error even if others in the
// same response could not; [tokens.Set.Problems] says which.
//
// Errors: a [CheckError], [ErrLoginExpired] among them; an *apierror.Error for what the
// server reported, at the redirect URI (such as apierror.ErrAccessDenied) or at the
// exchange (apierror.ErrInvalidGrant for a code that is used up, too old, or
// another login's); an idtoken.CheckError for a bad ID token, idtoken.ErrUnavailable
// when the keys for it could not be had. After an exchange the code is already used:
// start a new login.
func (l Login) Finish(ctx context.Context, callback url.Values) (_ tokens.Set, _ *idtoken.Claims, err error) {
	defer prefix.Add(&err, "flows: finish login")
	s, err := l.current()
	if err == nil {
		err = s.checkCallback(callback)
	}
	if err != nil {
		return tokens.Set{}, nil, err
	}
	return s.exchange(ctx, callback.Get("code"))
}

// FinishCode completes a login whose RedirectURI is the service's own page, with
// the code that the person copied from there; spaces around it are ignored. No state
// comes back on that way: PKCE and, with openid, the nonce bind the code to this
// login. Any other login is refused, since its callback has to be checked by
// [Login.Finish]. Results and errors are those of Finish.
func (l Login) FinishCode(ctx context.Context, code string) (_ tokens.Set, _ *idtoken.Claims, err error) {
	defer prefix.Add(&err, "flows: finish login")
	s, err := l.current()
	if err == nil && s.flow.RedirectURI != s.flow.codePage() {
		err = ErrState.Failed("a code alone is not sufficient for this redirect URI; use the whole address that the browser shows after the login (Finish)")
	}
	if err != nil {
		return tokens.Set{}, nil, err
	}
	return s.exchange(ctx, strings.TrimSpace(code))
}

func (l Login) current() (*started, error) {
	s := l.started()
	if s.flow.auth == nil {
		return nil, errZeroLogin
	}
	if !s.flow.auth.Now().Before(s.expiry) {
		return nil, expired(s.expiry)
	}
	return s, nil
}

// checkCallback checks everything before the exchange. A parameter without a value
// counts as omitted (RFC 6749 section 3.1), other than iss, which then names no issuer
// (RFC 9207 section 2.4); parameters that OAuth2 does not know are ignored.
func (s *started) checkCallback(callback url.Values) error {
	for name, values := range callback {
		if isCallbackParameter(name) && len(values) != 1 {
			return ErrCallback.Failed("the callback has the parameter %q %d times", name, len(values))
		}
	}
	state, code, failure := callback.Get("state"), callback.Get("code"), callback.Get("error")
	secrets := redact.New(s.state, s.nonce, s.verifier, s.flow.ClientSecret, code)
	reported := &apierror.Error{Operation: "log in", Code: secrets.Text(failure), Message: secrets.Text(callback.Get("error_description"))}
	iss, hasIssuer := callback["iss"]
	switch {
	case state == "" && failure != "":
		// Anyone can send this: it is text, not an error of the service.
		return ErrState.Failed("the callback carries no state, so that its sender is unknown; it says (unverified): %q", strings.TrimPrefix(reported.Error(), "globusauth: log in: "))
	case state == "":
		return ErrState.Failed("the callback carries no state, so that its sender is unknown")
	case subtle.ConstantTimeCompare([]byte(state), []byte(s.state)) != 1:
		return ErrState.Failed("the callback belongs to another login; was another one started in the same browser?")
	case hasIssuer && !origin.SameIssuer(iss[0], s.flow.auth.Issuer()):
		return ErrIssuer.Failed("the callback comes from another server than %q", s.flow.auth.Issuer())
	case code != "" && failure != "":
		return ErrCallback.Failed("the callback reports success and failure at once")
	case failure != "":
		return reported
	}
	return nil
}

// exchange uses the code and verifies what comes for it.
func (s *started) exchange(ctx context.Context, code string) (tokens.Set, *idtoken.Claims, error) {
	if code == "" || len(code) > maxCode || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return tokens.Set{}, nil, ErrCallback.Failed("the code is missing, longer than %d bytes or contains invalid characters; paste only the code", maxCode)
	}
	response, err := s.flow.token(ctx, gen.TokenRequest{
		GrantType: gen.GrantTypeAuthorizationCode, Code: code, CodeVerifier: s.verifier, RedirectURI: s.flow.RedirectURI,
	}, nil, s.state, s.nonce)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	set, claims, err := response.accept(ctx, true, s.nonce, "")
	if err != nil {
		response.revokeAll(ctx)
		return tokens.Set{}, nil, fmt.Errorf("%w (the tokens just issued are not kept; start a new login)", err)
	}
	return set, claims, nil
}
