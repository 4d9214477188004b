package flows

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
)

// checkRedirectURI refuses where a code could be read or caught by others.
func checkRedirectURI(text string, public bool) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case parsed.Scheme == "https" && parsed.Host != "", parsed.Scheme == "http" && origin.Loopback(parsed.Hostname()):
		return nil
	case parsed.Scheme == "http":
		return fmt.Errorf("%q would carry the code unencrypted; use https or a loopback address", parsed.Scheme+"://"+parsed.Host)
	case public && strings.Contains(parsed.Scheme, "."): // RFC 8252 section 7.1
		return nil
	}
	return fmt.Errorf("the scheme is %q; it must be https, http on a loopback address, or for a native client a reversed domain name", parsed.Scheme)
}

// StartOption changes one login. Make one with [WithAuthorization] or
// [WithParameter].
type StartOption func(*request)

// request is what one login asks for beside the Config.
type request struct {
	parameters apierror.AuthorizationParameters
	extra      map[string]string
}

// WithAuthorization asks for what a service demanded in the Authorization of an
// *apierror.Error, or for what the program itself demands: identities, policies,
// domains and multi-factor authentication in the session, a message to the
// person, a prompt, and scopes beside those of the flow. A later option of this kind
// takes the place of an earlier one.
func WithAuthorization(parameters apierror.AuthorizationParameters) StartOption {
	return func(r *request) { r.parameters = parameters }
}

// WithParameter adds a parameter to the authorize URL, such as login_hint, in
// place of an earlier one of that name. Start refuses the parameters that protect the
// login, or that the flow itself sets.
func WithParameter(name, value string) StartOption {
	return func(r *request) { r.extra[name] = value }
}

// Start begins a login. It makes no request.
//
// It can be finished within one hour. The scopes must be well-formed (the error is one of package scopes), the
// redirect URI one that keeps the code to this client.
func (c Config) Start(options ...StartOption) (_ Login, err error) {
	defer prefix.Add(&err, "flows: start login")
	f, err := c.forLogin()
	if err != nil {
		return Login{}, err
	}
	r := request{extra: map[string]string{}}
	for _, option := range options {
		if option != nil {
			option(&r)
		}
	}
	wanted, err := f.wanted(r.parameters.RequiredScopes)
	if err != nil {
		return Login{}, err
	}
	s := &started{
		flow: f, expiry: f.auth.Now().Add(loginTimeout),
		verifier: oauth2.GenerateVerifier(), state: oauth2.GenerateVerifier(), // both are 256 random bits
	}
	if asksForIDToken(wanted) {
		s.nonce = oauth2.GenerateVerifier()
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

		SessionRequiredIdentities:   p.SessionRequiredIdentities,
		SessionRequiredPolicies:     p.SessionRequiredPolicies,
		SessionRequiredSingleDomain: p.SessionRequiredSingleDomain,
	}
	if c.RefreshTokens {
		params.AccessType = gen.AccessTypeOffline
	}
	// The generated request knows how the spec writes its query. It is never sent, so
	// that any context will do.
	req, err := gen.NewAuthorizeRequest(context.Background(), c.baseURL, &params)
	if err != nil {
		return "", err
	}
	for name := range r.extra {
		switch name {
		case "client_id", "redirect_uri", "response_type", "scope", "state", "nonce",
			"code_challenge", "code_challenge_method", "access_type", "response_mode", "request", "request_uri", "":
			return "", fmt.Errorf("option WithParameter: %q cannot be set this way", name)
		}
	}
	if p.SessionRequiredMFA != nil { // the generated request leaves false out
		r.extra["session_required_mfa"] = strconv.FormatBool(*p.SessionRequiredMFA)
	}
	if len(r.extra) > 0 {
		query := req.URL.Query()
		for name, value := range r.extra {
			query.Set(name, value)
		}
		req.URL.RawQuery = query.Encode()
	}
	return req.URL.String(), nil
}
