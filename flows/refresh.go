package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/tokens"
)

// Refresh gets a new access token for current.RefreshToken. The set holds that
// token, and those for other resource servers that came with it; merge it into the
// set of the login. What the response leaves out, the refresh token first of all,
// is kept from current. What could not be read is in [tokens.Set.Problems], among
// it an ID token that fails a check or whose keys cannot be had: the tokens are
// good without it.
//
// Errors: tokens.ErrLoginRequired without a refresh token;
// apierror.ErrInvalidGrant when the service no longer accepts it, which is final;
// [ErrIdentity], with tokens.ErrLoginRequired, when a verified ID token names
// another identity than current, and [ErrResourceServer] when no token is for
// current.ResourceServer: the tokens that came are then revoked; [ErrToken] when
// there is no usable access token. Beside that error the set holds current with the
// new refresh token, if one came: store it, for the one before may be revoked. The
// request is retried only if it cannot have used the token.
func (c Config) Refresh(ctx context.Context, current tokens.Token, opts ...globusauth.CallOption) (_ tokens.Set, err error) {
	defer operation(&err, "refresh token")
	self, err := c.client()
	if err != nil {
		return tokens.Set{}, err
	}
	if current.RefreshToken == "" {
		return tokens.Set{}, fmt.Errorf("the token for %q has no refresh token: %w", current.ResourceServer, tokens.ErrLoginRequired)
	}
	response, err := self.token(ctx, gen.TokenRequest{GrantType: gen.GrantTypeRefreshToken, RefreshToken: current.RefreshToken}, opts)
	if err != nil {
		return tokens.Set{}, err
	}
	list, problems := tokensOf(response, self.auth.Now())
	if current.ResourceServer == "" && len(list) > 0 {
		current.ResourceServer = list[0].ResourceServer
	}
	nameless := slices.IndexFunc(list, func(t tokens.Token) bool { return t.ResourceServer == "" })
	if nameless >= 0 && !slices.ContainsFunc(list, func(t tokens.Token) bool { return t.ResourceServer == current.ResourceServer }) {
		list[nameless].ResourceServer = current.ResourceServer
	}
	unconfirmed, err := self.confirm(ctx, list, current.IdentityID)
	if err != nil {
		self.undo(ctx, response, current.RefreshToken)
		return tokens.Set{}, fmt.Errorf("%w: %w", err, tokens.ErrLoginRequired)
	}
	fresh, err := self.salvage(ctx, list, append(problems, unconfirmed...))
	wanted, found := fresh.ByResourceServer(current.ResourceServer)
	switch {
	case found:
	case response.RefreshToken != "" && (response.ResourceServer == "" || response.ResourceServer == current.ResourceServer):
		renewed := current
		renewed.RefreshToken = response.RefreshToken // the one before may be revoked by now
		kept := tokens.Salvage([]tokens.Token{current}).Merge(tokens.Salvage([]tokens.Token{renewed})).Merge(fresh)
		return kept, refuse(ErrToken, "the response holds a refresh token and no usable access token for %.100q", current.ResourceServer)
	case err != nil:
		return tokens.Set{}, err
	default:
		self.undo(ctx, response, current.RefreshToken)
		return tokens.Set{}, refuse(ErrResourceServer, "asked for a token for %.100q, got others (%d)", current.ResourceServer, len(fresh.All()))
	}
	current.AccessToken = wanted.AccessToken // it may be missing; what is kept is the rest
	return tokens.Salvage([]tokens.Token{current}).Merge(fresh), nil
}

// Revoke ends an access or refresh token (RFC 7009). Revoking a refresh token
// does not end the access tokens that came from it: revoke the access token first,
// then the refresh token.
func (c Config) Revoke(ctx context.Context, token string, opts ...globusauth.CallOption) (err error) {
	defer operation(&err, "revoke token")
	self, err := c.client()
	if err != nil {
		return err
	}
	return self.revoke(ctx, token, opts)
}

func (c client) revoke(ctx context.Context, token string, opts []globusauth.CallOption) error {
	if token == "" {
		return errors.New("the token is empty")
	}
	response, err := c.auth.Revoke(ctx, gen.RevokeRequest{Token: token, ClientID: c.formID()}, opts...)
	switch {
	case err != nil:
		return err
	case response.Active:
		return fmt.Errorf("%w: it says that the token is still active", globusauth.ErrMalformedResponse)
	}
	return nil
}
