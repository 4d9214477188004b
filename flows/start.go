package flows

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/scopes"
)

const (
	minVerifier = 43
	maxVerifier = 128
)

// checkRedirectURI refuses where a code could be read or caught by others, and
// what cannot be told apart from the response.
func checkRedirectURI(text string, public bool) error {
	if text == "" {
		return errors.New("it is empty; it must be the one that is registered for the client")
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" {
		return errors.New("it is not an absolute URL")
	}
	switch {
	case strings.Contains(text, "#"):
		return errors.New("it has a fragment (RFC 6749 section 3.1.2)")
	case parsed.User != nil:
		return errors.New("it holds a user name or password")
	}
	for name := range parsed.Query() {
		if isCallbackParameter(name) {
			return fmt.Errorf("its query has the parameter %q, which the answer needs", name)
		}
	}
	switch {
	case parsed.Scheme == "https" && parsed.Host != "":
	case parsed.Scheme == "http" && origin.Loopback(parsed.Hostname()):
	case parsed.Scheme == "http":
		return fmt.Errorf("%q would carry the code unencrypted; use https or a loopback address", parsed.Scheme+"://"+parsed.Host)
	case public && strings.Contains(parsed.Scheme, "."): // RFC 8252 section 7.1
	default:
		return fmt.Errorf("the scheme is %q; it must be https, http on a loopback address, or for a native client a reversed domain name", parsed.Scheme)
	}
	return nil
}

// StartOption changes one login. Make one with [WithAuthorization],
// [WithVerifier] or [WithParameter].
type StartOption interface{ apply(*request) error }

type startOptionFunc func(*request) error

func (f startOptionFunc) apply(r *request) error { return f(r) }

// request is what one login asks for.
type request struct {
	verifier   string
	parameters apierror.AuthorizationParameters
	extra      [][2]string
	random     io.Reader
}

// WithAuthorization asks for what a service demanded in the Authorization of an
// *apierror.Error, or for what the program itself demands: identities, policies,
// domains and multi-factor authentication in the session, a message to the
// person, a prompt, and scopes beside those of the flow. Its Extra is not used. A
// later option of this kind takes the place of an earlier one.
func WithAuthorization(parameters apierror.AuthorizationParameters) StartOption {
	return startOptionFunc(func(r *request) error {
		r.parameters = parameters
		return nil
	})
}

// WithVerifier gives the PKCE code verifier, 43 to 128 letters, digits and - . _ ~
// (RFC 7636 section 4.1), instead of a random one. A party that knows it and
// the code can take the tokens.
func WithVerifier(verifier string) StartOption {
	return startOptionFunc(func(r *request) error {
		if verifier == "" {
			return errors.New("option WithVerifier: the verifier is empty")
		}
		r.verifier = verifier
		return checkVerifier(verifier)
	})
}

// WithParameter adds a parameter to the authorize URL, such as login_hint, in
// place of an earlier one of that name. The parameters that protect the login, or
// that the flow itself sets, are refused.
func WithParameter(name, value string) StartOption {
	return startOptionFunc(func(r *request) error {
		switch name {
		case "client_id", "redirect_uri", "response_type", "scope", "state", "nonce",
			"code_challenge", "code_challenge_method", "access_type", "response_mode", "request", "request_uri", "":
			return fmt.Errorf("option WithParameter: %q cannot be set this way", name)
		}
		r.extra = append(r.extra, [2]string{name, value})
		return nil
	})
}

// checkVerifier applies RFC 7636 section 4.1.
func checkVerifier(verifier string) error {
	if len(verifier) < minVerifier || len(verifier) > maxVerifier {
		return fmt.Errorf("the code verifier has %d characters; it must have %d to %d (RFC 7636 section 4.1)", len(verifier), minVerifier, maxVerifier)
	}
	if strings.ContainsFunc(verifier, notUnreserved) {
		return errors.New("the code verifier has characters other than letters, digits and - . _ ~ (RFC 7636 section 4.1)")
	}
	return nil
}

func notUnreserved(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_', r == '~':
		return false
	}
	return true
}

// Start begins a login. It makes no request.
//
// The scopes must be well-formed (the error is one of package scopes), the
// redirect URI one that keeps the code to this client.
func (c Config) Start(options ...StartOption) (_ Login, err error) {
	defer operation(&err, "start login")
	f, err := c.forLogin()
	if err != nil {
		return Login{}, err
	}
	r := request{random: rand.Reader}
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option.apply(&r); err != nil {
			return Login{}, err
		}
	}
	wanted, err := f.wanted(r.parameters.RequiredScopes)
	if err != nil {
		return Login{}, err
	}
	s := &started{flow: f, verifier: r.verifier, expiry: f.auth.Now().Add(f.LoginTimeout)}
	secrets := []*string{&s.state}
	if r.verifier == "" {
		secrets = append(secrets, &s.verifier)
	}
	if asksForIDToken(wanted) {
		secrets = append(secrets, &s.nonce)
	}
	for _, secret := range secrets {
		if *secret, err = r.secretText(); err != nil {
			return Login{}, err
		}
	}
	if s.url, err = f.authorizeURL(s, wanted, r); err != nil {
		return Login{}, err
	}
	return Login{held: func() *started { return s }}, nil
}

// wanted are the scopes of the flow and those that a service demanded.
func (c client) wanted(required []string) (scopes.List, error) {
	if len(required) == 0 {
		return c.Scopes, c.Scopes.Validate()
	}
	return scopes.Merge(c.Scopes, scopes.Of(required...))
}

func asksForIDToken(wanted scopes.List) bool {
	return slices.ContainsFunc(wanted, func(s scopes.Scope) bool { return s.Name() == scopes.AuthOpenID.Name() })
}

// secretText returns 43 characters that hold 256 random bits.
func (r request) secretText() (string, error) {
	var random [32]byte
	if _, err := io.ReadFull(r.random, random[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(random[:]), nil
}

func (c client) authorizeURL(s *started, wanted scopes.List, r request) (string, error) {
	p := r.parameters
	params := gen.AuthorizeParams{
		ClientID:            c.ClientID,
		RedirectURI:         c.RedirectURI,
		Scope:               wanted.String(),
		ResponseType:        gen.ResponseTypeCode,
		State:               s.state,
		CodeChallenge:       oauth2.S256ChallengeFromVerifier(s.verifier),
		CodeChallengeMethod: gen.CodeChallengeMethodS256,
		AccessType:          gen.AccessTypeOnline,
		PrefillNamedGrant:   c.PrefillNamedGrant,
		Nonce:               s.nonce,
		Prompt:              gen.Prompt(p.Prompt),
		SessionMessage:      p.SessionMessage,
	}
	if c.RefreshTokens {
		params.AccessType = gen.AccessTypeOffline
	}
	for _, list := range []struct {
		name   string
		values []string
		target *[]string
	}{
		{"SessionRequiredIdentities", p.SessionRequiredIdentities, &params.SessionRequiredIdentities},
		{"SessionRequiredPolicies", p.SessionRequiredPolicies, &params.SessionRequiredPolicies},
		{"SessionRequiredSingleDomain", p.SessionRequiredSingleDomain, &params.SessionRequiredSingleDomain},
	} {
		for i, value := range list.values {
			if value == "" || strings.Contains(value, ",") {
				return "", fmt.Errorf("option WithAuthorization: %s[%d] is empty or holds a comma", list.name, i)
			}
		}
		*list.target = list.values
	}
	// The generated request knows how the spec writes its query. It is never sent, so
	// that any context will do.
	req, err := gen.NewAuthorizeRequest(context.Background(), c.auth.BaseURL(), &params)
	if err != nil {
		return "", err
	}
	if p.SessionRequiredMFA == nil && len(r.extra) == 0 {
		return req.URL.String(), nil
	}
	query := req.URL.Query()
	if p.SessionRequiredMFA != nil { // false must be said as well
		query.Set("session_required_mfa", strconv.FormatBool(*p.SessionRequiredMFA))
	}
	for _, extra := range r.extra {
		query.Set(extra[0], extra[1])
	}
	req.URL.RawQuery = query.Encode()
	return req.URL.String(), nil
}
