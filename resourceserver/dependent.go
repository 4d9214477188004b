package resourceserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/prefix"
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
	if err := scopes.List(wanted).Validate(); err != nil {
		return tokens.Token{}, prefixed("dependent token", err)
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
			return tokens.Token{}, c.missing(set, wanted, err)
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

// missing is what a caller is told if a response has no token with the scopes.
func (c *CallerInfo) missing(set tokens.Set, wanted scopes.List, err error) error {
	if problems := set.Problems(); len(problems) > 0 { // The token may be among what cannot be read.
		return problems[0]
	}
	for _, scope := range wanted {
		if _, lacks := set.ByScopes(scope); lacks != nil {
			return c.consent(wanted, err)
		}
	}
	return failed(err) // The scopes belong to different services.
}

func (c *CallerInfo) grant(ctx context.Context, options flows.DependentOptions) (tokens.Set, error) {
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
	if name == "" {
		return failed(cause) // A token of this API has one of its scopes.
	}
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
		Source: tokens.SourceFunc(func(ctx context.Context) (tokens.Token, error) { return c.Token(ctx, wanted...) }), ResourceServer: token.ResourceServer,
	})
}

// Offline obtains refresh tokens for the scopes and keeps them in Config.Store, so that the program
// can act for the caller later with [API.Offline]. Refresh tokens that they replace, those of the same
// services, are revoked; so are tokens that cannot be stored.
//
// The errors are those of Token; if the tokens cannot be stored, that of the store.
func (c *CallerInfo) Offline(ctx context.Context, wanted ...scopes.Scope) (err error) {
	defer prefix.Add(&err, "resourceserver: offline")
	a := c.api
	if a.config.Store == nil {
		return errors.New("the field Config.Store is nil")
	}
	if err := scopes.List(wanted).Validate(); err != nil {
		return err
	}
	var granted, before tokens.Set
	after, err := a.config.Store.Update(ctx, a.offlineKey(c.Subject), func(now tokens.Set) (_ tokens.Set, err error) {
		// What the service grants is kept, although ctx ends meanwhile.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		before = now
		granted, err = c.grant(ctx, flows.DependentOptions{Scopes: wanted, RefreshTokens: true})
		for _, scope := range wanted {
			if token, lacks := granted.ByScopes(scope); err == nil && (lacks != nil || token.RefreshToken == "") {
				err = c.missing(granted, wanted, cmp.Or(lacks, fmt.Errorf("there is no refresh token for the scope %q", scope.Name())))
			}
		}
		return now.Merge(granted), unavailable(err)
	})
	if err != nil {
		for _, token := range granted.All() {
			a.revoke(ctx, token.AccessToken, token.RefreshToken)
		}
		return err
	}
	for _, token := range before.All() {
		if kept, _ := after.ByResourceServer(token.ResourceServer); kept.RefreshToken != token.RefreshToken {
			a.revoke(ctx, token.RefreshToken)
		}
	}
	return nil
}

// revoke ends tokens although ctx has ended. A failure is logged: the tokens expire, or the user withdraws the consent.
func (a *API) revoke(ctx context.Context, secrets ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		if err := a.config.OAuth.Revoke(ctx, secret); err != nil {
			a.log.WarnContext(ctx, "resourceserver: a dependent token could not be revoked and remains valid", "error", err)
		}
	}
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
