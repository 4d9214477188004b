package resourceserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// renewBefore is how long before its expiry a dependent token is not used any more; for a token with
// less than ten minutes to live, the last tenth of its lifetime.
const renewBefore = time.Minute

type dependentKey struct {
	token  tokenKey
	scopes string
}

// Token returns an access token for another service that acts for the caller (a dependent token), with
// these scopes, all of one resource server. It is cached until shortly before it expires.
//
// If the caller has not consented to the scopes as dependencies of this API's, the error is a
// [*DeniedError] that asks for the consent.
func (c *CallerInfo) Token(ctx context.Context, wanted ...scopes.Scope) (tokens.Token, error) {
	a, key := c.api, dependentKey{c.key, scopes.List(wanted).String()}
	cached := func() (tokens.Token, bool) {
		token, ok := a.dependent.GetIfPresent(key)
		return token, ok && current(token, a.now())
	}
	if token, ok := cached(); ok {
		return token, nil
	}
	return once(ctx, a, fmt.Sprintf("dependent/%x/%s", c.key, key.scopes), func(ctx context.Context) (tokens.Token, error) {
		if token, ok := cached(); ok {
			return token, nil
		}
		set, err := c.grant(ctx, flows.DependentOptions{Scopes: wanted})
		if err != nil {
			return tokens.Token{}, err
		}
		token, err := set.ByScopes(wanted...)
		if err != nil {
			return tokens.Token{}, prefixed("dependent token", err)
		}
		a.dependent.Set(key, token)
		return token, nil
	})
}

func current(token tokens.Token, now time.Time) bool {
	margin := renewBefore
	if token.Lifetime < 10*margin {
		margin = token.Lifetime / 10
	}
	return now.Before(token.Expiry.Add(-margin))
}

func (c *CallerInfo) grant(ctx context.Context, options flows.DependentOptions) (tokens.Set, error) {
	if len(options.Scopes) == 0 {
		return tokens.Set{}, errors.New("resourceserver: dependent token: no scope is given")
	}
	set, err := c.api.config.OAuth.DependentTokens(ctx, c.token, options)
	switch {
	case errors.Is(err, apierror.ErrConsentRequired):
		return tokens.Set{}, c.consent(options.Scopes, err)
	case errors.Is(err, apierror.ErrInvalidGrant):
		denial := errInvalid()
		denial.cause = err
		return tokens.Set{}, denial
	}
	return set, err
}

// consent asks for scopes as dependencies of a scope of this API that the token has.
func (c *CallerInfo) consent(wanted scopes.List, cause error) *DeniedError {
	name, _, _ := strings.Cut(c.Scope, " ")
	scope := string(scopes.Scope(name).With(wanted...))
	return &DeniedError{
		Status: http.StatusForbidden, Message: "consent to further scopes is required", cause: cause,
		Requirement: &apierror.Requirement{Code: "ConsentRequired", Parameters: apierror.AuthorizationParameters{
			SessionMessage: "consent to further scopes is required", RequiredScopes: []string{scope},
		}},
	}
}

// HTTPClient returns a client that calls another service for the caller with a
// dependent token of these scopes, and sends it only to the hosts of that service. It knows Globus's own
// services; for another, use [CallerInfo.Token]. It is used within the request; the errors are those of
// Token.
func (c *CallerInfo) HTTPClient(ctx context.Context, wanted ...scopes.Scope) (*http.Client, error) {
	token, err := c.Token(ctx, wanted...)
	if err != nil {
		return nil, err
	}
	return flows.HTTPClient(c.api.config.OAuth.Auth, tokens.TransportConfig{
		Source: callerSource{c, wanted}, ResourceServer: token.ResourceServer,
	})
}

// callerSource is a tokens.Source of dependent tokens.
type callerSource struct {
	caller *CallerInfo
	scopes scopes.List
}

func (s callerSource) Token(ctx context.Context) (tokens.Token, error) {
	return s.caller.Token(ctx, s.scopes...)
}

// Offline obtains refresh tokens for the scopes and keeps them in Config.Store, so that the program
// can act for the caller later with [API.Offline].
func (c *CallerInfo) Offline(ctx context.Context, wanted ...scopes.Scope) error {
	a := c.api
	if a.config.Store == nil {
		return errors.New("resourceserver: offline: the field Config.Store is nil")
	}
	_, err := once(ctx, a, fmt.Sprintf("offline/%x/%s", c.key, scopes.List(wanted)), func(ctx context.Context) (struct{}, error) {
		_, err := a.config.Store.Update(ctx, a.offlineKey(c.Subject), func(now tokens.Set) (tokens.Set, error) {
			set, err := c.grant(ctx, flows.DependentOptions{Scopes: wanted, RefreshTokens: true})
			return now.Merge(set), err
		})
		return struct{}{}, err
	})
	return err
}

// Offline returns a source of tokens for a resource server, for an identity whose tokens
// [CallerInfo.Offline] stored.
func (a *API) Offline(identityID, resourceServer string) (*tokens.Refreshing, error) {
	if a.config.Store == nil {
		return nil, errors.New("resourceserver: offline: the field Config.Store is nil")
	}
	return a.config.OAuth.Source(tokens.RefreshingConfig{
		Store: a.config.Store, Key: a.offlineKey(identityID), ResourceServer: resourceServer,
	})
}

func (a *API) offlineKey(identityID string) tokens.Key {
	auth := a.config.OAuth.Auth
	return tokens.Key{ClientID: a.config.OAuth.ClientID, Environment: auth.Environment(), Address: auth.Address(), Namespace: "dependent/" + identityID}
}
