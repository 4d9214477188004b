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
	response, err := self.token(ctx, form, opts)
	if err != nil || len(response.entries) == 0 {
		return tokens.Set{}, err
	}
	set, _, err := response.accept(ctx, false, "", "")
	if err != nil {
		response.revokeAll(ctx)
	}
	return set, err
}
