package flows

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
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
// It checks, in this order: that the login is not too old; that no parameter came
// twice; state, in constant time; iss, where it is present; that there is not both a
// code and an error; the error. Then it exchanges the code, once. Then, if
// openid was asked for or an ID token came, it checks that one came, its
// signature, issuer, audience, times, nonce and at_hash. Nothing that comes is
// believed before that, and no check can be left out.
//
// Errors: a [CheckError], [ErrExpired] among them; an *apierror.Error for what the
// server reported, at the redirect URI (such as apierror.ErrAccessDenied) or at the
// exchange (apierror.ErrInvalidGrant for a code that is used up, too old, or
// another login's); an idtoken.CheckError for a bad ID token, idtoken.ErrUnavailable
// when the keys for it could not be had. After an exchange the code is spent:
// start a new login.
func (l Login) Finish(ctx context.Context, callback url.Values) (tokens.Set, error) {
	set, err := l.finish(ctx, callback)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("flows: finish login: %w", err)
	}
	return set, nil
}

// FinishCode completes a login whose RedirectURI is the service's own page, with
// the code that the person copied from there; blanks around it do no harm. No state
// comes back on that way: PKCE and, with openid, the nonce bind the code to this
// login. Any other login is refused, since its callback has to be checked by
// [Login.Finish]. Errors are those of Finish.
func (l Login) FinishCode(ctx context.Context, code string) (tokens.Set, error) {
	set, err := l.finishCode(ctx, strings.TrimSpace(code))
	if err != nil {
		return tokens.Set{}, fmt.Errorf("flows: finish login: %w", err)
	}
	return set, nil
}

func (l Login) finish(ctx context.Context, callback url.Values) (tokens.Set, error) {
	s, err := l.current()
	if err != nil {
		return tokens.Set{}, err
	}
	if err := s.checkCallback(callback); err != nil {
		return tokens.Set{}, err
	}
	return s.exchange(ctx, callback.Get("code"))
}

func (l Login) finishCode(ctx context.Context, code string) (tokens.Set, error) {
	s, err := l.current()
	if err != nil {
		return tokens.Set{}, err
	}
	if s.flow.redirectURI != s.flow.codePage() {
		return tokens.Set{}, refuse(ErrCodePage, "the code came to a redirect URI, and so did state; give all parameters to Finish")
	}
	if code == "" {
		return tokens.Set{}, refuse(ErrCodeMissing, "the code is empty; copy it from the page that the browser shows after the login")
	}
	return s.exchange(ctx, code)
}

func (l Login) current() (*started, error) {
	if l.held == nil {
		return nil, refuse(ErrNotStarted, "the login is a zero value; get one from Start or Resume")
	}
	s := l.held()
	if !s.flow.auth.Now().Before(s.expiry) {
		return nil, expired(s.expiry)
	}
	return s, nil
}

// checkCallback checks everything before the exchange.
func (s *started) checkCallback(callback url.Values) error {
	if err := s.checkNotRepeated(callback); err != nil {
		return err
	}
	state, code, code2 := callback.Get("state"), callback.Get("code"), callback.Get("error")
	switch {
	case state == "" && code2 != "":
		// The error may be anybody's. Its code is told, for whoever looks for the reason.
		return refuse(ErrStateMissing, "the callback carries no state, so that it is not known whom it comes from; it reports an error (%s)", oauthCode(code2))
	case state == "":
		return refuse(ErrStateMissing, "the callback carries no state, so that it is not known whom it comes from")
	case !equal(state, s.state):
		return refuse(ErrState, "the callback does not answer this login; was another one started in the same browser?")
	}
	if iss, present := callback["iss"]; present && !sameIssuer(iss[0], s.flow.auth.Issuer()) {
		return refuse(ErrIssuer, "the callback comes from another server than %q", s.flow.auth.Issuer())
	}
	_, hasCode := callback["code"]
	_, hasError := callback["error"]
	switch {
	case hasCode && hasError:
		return refuse(ErrCodeAndError, "the callback reports success and failure at once")
	case hasError:
		answer := &apierror.Error{Operation: "log in", Code: code2, Message: callback.Get("error_description")}
		return answer.Redact(s.state, s.nonce, s.verifier, s.flow.secret)
	case code == "":
		return refuse(ErrCodeMissing, "the callback holds neither a code nor an error")
	}
	return nil
}

// checkNotRepeated refuses parameters that came twice (RFC 6749 section 3.1), other than
// those that the redirect URI itself has.
func (s *started) checkNotRepeated(callback url.Values) error {
	redirect, err := url.Parse(s.flow.redirectURI)
	if err != nil {
		return err
	}
	own := redirect.Query()
	for name, values := range callback {
		if len(values) == 1 || (len(values) > 1 && len(own[name]) == len(values)) {
			continue
		}
		if isCallbackParameter(name) {
			return refuse(ErrRepeated, "the callback has the parameter %q %d times", name, len(values))
		}
		return refuse(ErrRepeated, "the callback has a parameter %d times", len(values))
	}
	return nil
}

// sameIssuer compares as package idtoken does: one slash at the end is not
// significant.
func sameIssuer(one, other string) bool {
	return one != "" && strings.TrimSuffix(one, "/") == strings.TrimSuffix(other, "/")
}

// oauthCode returns an error code of OAuth2 and nothing else that may stand in its
// place.
func oauthCode(text string) string {
	const longest = 40
	if len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		return "unknown"
	}
	return text
}

// exchange spends the code and verifies what comes for it.
func (s *started) exchange(ctx context.Context, code string) (tokens.Set, error) {
	if len(code) > maxCode || strings.ContainsFunc(code, notVisible) {
		return tokens.Set{}, refuse(ErrCode, "the code is longer than %d bytes or has characters that no code has; was it copied whole and alone?", maxCode)
	}
	answer, err := s.flow.token(ctx, gen.TokenRequest{
		GrantType:    gen.GrantTypeAuthorizationCode,
		Code:         code,
		CodeVerifier: s.verifier,
		RedirectURI:  s.flow.redirectURI,
	}, nil)
	if err != nil {
		return tokens.Set{}, redact(err, s.state, s.nonce)
	}
	list, err := listOf(answer, s.flow.auth.Now())
	if err != nil {
		return tokens.Set{}, err
	}
	return s.flow.identify(ctx, list, s.nonce)
}

// identify verifies the ID token of an answer and makes the tokens those of its
// subject. With a nonce an ID token is required.
func (c client) identify(ctx context.Context, list []tokens.Token, nonce string) (tokens.Set, error) {
	identity := ""
	for i := range list {
		if list[i].IDToken == "" {
			continue
		}
		claims, err := c.verify(ctx, list[i], idtoken.Expect{Nonce: nonce, NoNonce: nonce == ""})
		switch {
		case err != nil:
			return tokens.Set{}, err
		case identity != "" && identity != claims.Subject:
			return tokens.Set{}, refuse(ErrIdentity, "the answer holds ID tokens of two identities")
		}
		identity = claims.Subject
	}
	if identity == "" && nonce != "" {
		return tokens.Set{}, refuse(ErrIDTokenMissing, "openid was asked for and no ID token came; the login does not say who it is")
	}
	for i := range list {
		list[i].IdentityID = identity
	}
	return tokens.NewSet(list...)
}
