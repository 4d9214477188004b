package flows

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// Refresh gets a new access token for current.RefreshToken. The set holds that
// token, and those for other resource servers that came with it; merge it into the
// set of the login. What the response leaves out, the refresh token first of all,
// is kept from current. What could not be read is in [tokens.Set.Problems], among
// it an ID token that fails a check or whose keys cannot be fetched: the tokens are
// good without it.
//
// Errors: tokens.ErrLoginRequired without a refresh token;
// apierror.ErrInvalidGrant when the service no longer accepts it, which is final;
// [ErrIdentity], with tokens.ErrLoginRequired, when a verified ID token names
// another identity than current, and [ErrToken] when no token for
// current.ResourceServer is usable: the tokens that came are then revoked. If a new
// refresh token came beside [ErrToken] and current has an access token, the set
// holds current with it: store it, for the one before may be revoked. The request is
// retried only if it cannot have used the token.
func (c Config) Refresh(ctx context.Context, current tokens.Token, opts ...globusauth.CallOption) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "flows: refresh token")
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
	if len(response.entries) > 0 {
		current.ResourceServer = cmp.Or(current.ResourceServer, response.entries[0].ResourceServer)
	}
	renewed := response.named(current.ResourceServer)
	if nameless := response.named(""); renewed < 0 && nameless >= 0 {
		renewed = nameless
		response.entries[renewed].ResourceServer = current.ResourceServer
	}
	set, _, err := response.accept(ctx, false, "", current.IdentityID)
	if errors.Is(err, ErrIdentity) {
		response.revokeAll(ctx)
		return tokens.Set{}, fmt.Errorf("%w: %w", err, tokens.ErrLoginRequired)
	}
	if token, found := set.ByResourceServer(current.ResourceServer); found {
		current.AccessToken = token.AccessToken // the one before may be malformed
		return tokens.Salvage([]tokens.Token{current}).Merge(set), nil
	}
	before := tokens.Salvage([]tokens.Token{current}) // empty if current has no access token of its own
	if kept := current; len(before.All()) > 0 && renewed >= 0 && response.entries[renewed].RefreshToken != "" {
		kept.RefreshToken = response.entries[renewed].RefreshToken
		return before.Merge(tokens.Salvage([]tokens.Token{kept})).Merge(set), ErrToken.Failed("the response holds a refresh token and no usable access token for %.100q", current.ResourceServer)
	}
	response.revokeAll(ctx)
	if err == nil {
		err = ErrToken.Failed("asked for a token for %.100q, got others (%d)", current.ResourceServer, len(set.All()))
	}
	return tokens.Set{}, err
}

// Revoke ends an access or refresh token (RFC 7009). Revoking a refresh token
// does not end the access tokens that came from it: revoke the access token first,
// then the refresh token.
func (c Config) Revoke(ctx context.Context, token string, opts ...globusauth.CallOption) (err error) {
	defer prefix.Add(&err, "flows: revoke token")
	self, err := c.client()
	if err != nil {
		return err
	}
	return self.revoke(ctx, token, opts)
}

// RevokeSet ends the access and refresh tokens of a set, except those that a set of kept
// has too. It continues after an error, and returns the tokens that may still be valid beside it.
func (c Config) RevokeSet(ctx context.Context, set tokens.Set, kept ...tokens.Set) (left tokens.Set, err error) {
	defer prefix.Add(&err, "flows: revoke tokens")
	self, err := c.client()
	if err != nil {
		return set, err
	}
	skip := map[string]bool{"": true}
	for _, other := range kept {
		for _, token := range other.All() {
			skip[token.AccessToken], skip[token.RefreshToken] = true, true
		}
	}
	var problems []error
	var failed []tokens.Token
	for _, token := range set.All() {
		var problem error
		for _, secret := range []string{token.AccessToken, token.RefreshToken} {
			if !skip[secret] {
				problem = errors.Join(problem, self.revoke(ctx, secret, nil))
			}
		}
		if problem != nil {
			problems = append(problems, fmt.Errorf("token for %q: %w", token.ResourceServer, problem))
			failed = append(failed, token)
		}
	}
	return tokens.Salvage(failed), errors.Join(problems...)
}

func (c client) revoke(ctx context.Context, token string, opts []globusauth.CallOption) error {
	if token == "" {
		return errors.New("the token is empty")
	}
	response, err := c.auth.Revoke(ctx, gen.RevokeRequest{Token: token, ClientID: c.formID}, opts...)
	if err == nil && response.Active {
		err = fmt.Errorf("%w: it says that the token is still active", globusauth.ErrMalformedResponse)
	}
	return err
}
