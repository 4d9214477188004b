package flows

import (
	"context"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
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
// client. The request is retried as globusauth.RetryPolicy says.
func (c Config) ClientCredentials(ctx context.Context, opts ...globusauth.CallOption) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "flows: client credentials")
	self, err := c.confidential()
	if err == nil {
		err = c.Scopes.Validate()
	}
	if err != nil {
		return tokens.Set{}, err
	}
	response, err := self.token(ctx, gen.TokenRequest{GrantType: gen.GrantTypeClientCredentials, Scope: c.Scopes.String()}, opts)
	if err != nil {
		return tokens.Set{}, err
	}
	set, _, err := response.accept(ctx, false, "", c.ClientID)
	if err != nil {
		response.revokeAll(ctx)
	}
	return set, err
}
