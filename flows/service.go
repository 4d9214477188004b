package flows

import (
	"context"
	"errors"
	"fmt"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// ClientCredentials gets tokens for the client itself, for its Scopes. There are
// no refresh tokens: ask again, or let [Confidential.ClientCredentialsSource] do
// so. Their IdentityID is the client ID. An ID token that comes, when openid is among
// the scopes, is verified, and left out where that fails ([tokens.Set.Problems]).
//
// Errors: those of package scopes for scopes that are not well-formed,
// apierror.ErrInvalidClient, apierror.ErrInvalidScope and so on; [ErrIdentity] when
// a verified ID token names another identity than the client. The request is retried as globusauth.RetryPolicy says.
func (c Confidential) ClientCredentials(ctx context.Context, opts ...globusauth.CallOption) (tokens.Set, error) {
	set, err := c.clientCredentials(ctx, opts)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("flows: client credentials: %w", err)
	}
	return set, nil
}

func (c Confidential) clientCredentials(ctx context.Context, opts []globusauth.CallOption) (tokens.Set, error) {
	self, err := c.client()
	if err != nil {
		return tokens.Set{}, err
	}
	if err := c.Scopes.Validate(); err != nil {
		return tokens.Set{}, err
	}
	answer, err := self.token(ctx, gen.TokenRequest{GrantType: gen.GrantTypeClientCredentials, Scope: c.Scopes.String()}, opts)
	if err != nil {
		return tokens.Set{}, err
	}
	list, problems := tokensOf(answer, self.auth.Now())
	unconfirmed, err := self.confirm(ctx, list, self.id)
	if err != nil {
		self.undo(ctx, answer, "")
		return tokens.Set{}, err
	}
	return self.salvage(ctx, list, append(problems, unconfirmed...))
}

// DependentOptions says which dependent tokens to ask for.
type DependentOptions struct {
	// Scopes restrict the answer to these, which is worth doing: fewer tokens are made.
	// Empty means all that the caller's consent covers.
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
func (c Confidential) DependentTokens(ctx context.Context, token string, options DependentOptions, opts ...globusauth.CallOption) (tokens.Set, error) {
	set, err := c.dependentTokens(ctx, token, options, opts)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("flows: dependent tokens: %w", err)
	}
	return set, nil
}

func (c Confidential) dependentTokens(ctx context.Context, token string, options DependentOptions, opts []globusauth.CallOption) (tokens.Set, error) {
	self, err := c.client()
	if err != nil {
		return tokens.Set{}, err
	}
	if token == "" {
		return tokens.Set{}, errors.New("the caller's token is empty")
	}
	if len(options.Scopes) > 0 {
		if err := options.Scopes.Validate(); err != nil {
			return tokens.Set{}, err
		}
	}
	form := gen.TokenRequest{GrantType: gen.GrantTypeDependentToken, Token: token, Scope: options.Scopes.String()}
	if options.RefreshTokens {
		form.AccessType = gen.AccessTypeOffline
	}
	answer, err := self.token(ctx, form, opts)
	if err != nil {
		return tokens.Set{}, err
	}
	if answer.AccessToken == "" && answer.ResourceServer == "" && len(answer.OtherTokens) == 0 {
		return tokens.Set{}, nil
	}
	list, problems := tokensOf(answer, self.auth.Now())
	for i := range list {
		list[i].IDToken = "" // this grant gives none, and nothing here has verified one
	}
	return self.salvage(ctx, list, problems)
}
