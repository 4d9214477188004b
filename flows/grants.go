package flows

import (
	"context"
	"errors"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// ClientCredentials gets tokens for the client itself, for its Scopes. There are
// no refresh tokens: ask again, or let [Config.ClientCredentialsSource] do so. Their
// IdentityID is the client ID. An ID token that comes, when openid is among the
// scopes, is verified, and left out where that fails ([tokens.Set.Problems]).
//
// Errors: those of package scopes for scopes that are not well-formed,
// apierror.ErrInvalidClient, apierror.ErrInvalidScope and so on; [ErrToken] without a
// usable token; [ErrIdentity] when a verified ID token names another identity than the
// client. The request is retried as globusauth.Config.MaxRetries says.
func (c Config) ClientCredentials(ctx context.Context, opts ...globusauth.CallOption) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "flows: client credentials")
	self, err := c.confidential()
	if err == nil {
		err = c.Scopes.Validate()
	}
	if err != nil {
		return tokens.Set{}, err
	}
	return self.grant(ctx, gen.TokenRequest{GrantType: gen.GrantTypeClientCredentials, Scope: c.Scopes.String()}, opts, c.ClientID)
}

// DependentOptions says which dependent tokens to ask for.
type DependentOptions struct {
	// Scopes restrict the response to these, which is worth doing: fewer tokens are
	// issued. Empty means all that the caller's consent covers.
	Scopes scopes.List
	// RefreshTokens asks for refresh tokens, to act for the caller later on.
	RefreshTokens bool
}

// DependentTokens exchanges the access token that a caller sent to this resource
// server for tokens with which it can call further services for that caller. The set
// is empty if the caller's token has no dependent scopes.
//
// Errors: apierror.ErrConsentRequired when the caller has not consented, with the
// scopes to ask for in Authorization; apierror.ErrInvalidGrant when the caller's
// token has expired or is revoked; [ErrToken] when no token of the response is usable.
func (c Config) DependentTokens(ctx context.Context, token string, options DependentOptions, opts ...globusauth.CallOption) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "flows: dependent tokens")
	self, err := c.confidential()
	switch {
	case err != nil:
	case token == "":
		err = errors.New("the caller's token is empty")
	case len(options.Scopes) > 0:
		err = options.Scopes.Validate()
	}
	if err != nil {
		return tokens.Set{}, err
	}
	form := gen.TokenRequest{GrantType: gen.GrantTypeDependentToken, Token: token, Scope: options.Scopes.String()}
	if options.RefreshTokens {
		form.AccessType = gen.AccessTypeOffline
	}
	return self.grant(ctx, form, opts, "")
}

// grant gets tokens of an identity, empty if it is unknown. They are revoked where they
// are refused.
func (c client) grant(ctx context.Context, form gen.TokenRequest, opts []globusauth.CallOption, identity string) (tokens.Set, error) {
	response, err := c.token(ctx, form, opts)
	if err != nil || len(response.entries) == 0 && form.GrantType == gen.GrantTypeDependentToken {
		return tokens.Set{}, err
	}
	set, _, err := response.accept(ctx, false, "", identity)
	if err != nil {
		response.revokeAll(ctx)
	}
	return set, err
}
