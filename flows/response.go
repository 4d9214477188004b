package flows

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

const (
	// maxExpiresIn is the longest lifetime that is believed, in seconds: 100 years, far
	// from where a time.Duration overflows.
	maxExpiresIn = 100 * 365 * 24 * 60 * 60
	// undoTimeout bounds the revocation of tokens that are refused.
	undoTimeout = 10 * time.Second
	// undoLimit is how many of them are revoked at once.
	undoLimit = 8
	// maxReported is how many problems of a response are logged.
	maxReported = 10
)

// tokensOf reads the tokens of a response that arrived at the time now, and says what
// it left out.
func tokensOf(response *gen.AnyTokenResponse, now time.Time) (list []tokens.Token, problems []error) {
	entries := response.OtherTokens
	if response.AccessToken != "" || response.ResourceServer != "" || len(entries) == 0 {
		// The dependent grant returns others only.
		entries = append([]gen.ResourceServerToken{{
			AccessToken: response.AccessToken, RefreshToken: response.RefreshToken, TokenType: response.TokenType, ExpiresIn: response.ExpiresIn,
			ResourceServer: response.ResourceServer, Scope: response.Scope, IDToken: response.IDToken,
		}}, entries...)
	}
	for _, entry := range entries {
		if entry.TokenType != "" && !strings.EqualFold(entry.TokenType, "Bearer") {
			// RFC 6749 section 7.1: a client must not use a token of a type that it does not know.
			problems = append(problems, fmt.Errorf("the token for %.100q is of the type %.100q; only Bearer is known", entry.ResourceServer, entry.TokenType))
			continue
		}
		token := tokens.Token{
			AccessToken: entry.AccessToken, RefreshToken: entry.RefreshToken, TokenType: entry.TokenType,
			ResourceServer: entry.ResourceServer, Scope: entry.Scope, IDToken: entry.IDToken,
		}
		switch {
		case entry.ExpiresIn < 0 || entry.ExpiresIn > maxExpiresIn:
			problems = append(problems, fmt.Errorf("the token for %.100q has an expires_in of %d seconds; its expiry is unknown", entry.ResourceServer, entry.ExpiresIn))
		case entry.ExpiresIn > 0:
			token.Lifetime = time.Duration(entry.ExpiresIn) * time.Second
			token.Expiry = now.Add(token.Lifetime)
		}
		list = append(list, token)
	}
	return list, problems
}

// salvage makes a set of the usable tokens and logs what is not usable. A set without
// a token is an error.
func (c client) salvage(ctx context.Context, list []tokens.Token, problems []error) (tokens.Set, error) {
	set := tokens.Salvage(list, problems...)
	problems = set.Problems()
	if len(problems) > 0 {
		texts := make([]string, min(len(problems), maxReported))
		for i := range texts {
			texts[i] = fmt.Sprintf("%.300s", problems[i].Error())
		}
		c.auth.Logger().WarnContext(ctx, "flows: parts of a token response are not usable", "count", len(problems), "problems", texts)
	}
	if len(set.All()) == 0 {
		return tokens.Set{}, refuse(ErrToken, "the response holds no usable token: %.300s", problems[0].Error())
	}
	return set, nil
}

func (c client) verify(ctx context.Context, token tokens.Token, expect idtoken.Expect) (*idtoken.Claims, error) {
	verifier, err := c.auth.IDTokenVerifier(c.ClientID)
	if err != nil {
		return nil, err
	}
	expect.AccessToken = token.AccessToken
	claims, err := verifier.Verify(ctx, token.IDToken, expect)
	if err != nil && c.sent.In(err.Error()) {
		return nil, cleaned{c.sent.Text(err.Error()), func() error { return err }}
	}
	return claims, err
}

// identify verifies the ID tokens of a login, makes the tokens those of their
// subject, and returns the claims. With a nonce an ID token is required.
func (c client) identify(ctx context.Context, list []tokens.Token, nonce string) (*idtoken.Claims, error) {
	var claims *idtoken.Claims
	for _, token := range list {
		if token.IDToken == "" {
			continue
		}
		further, err := c.verify(ctx, token, idtoken.Expect{Nonce: nonce, NoNonce: nonce == ""})
		switch {
		case err != nil:
			return nil, err
		case claims == nil:
			claims = further
		case claims.Subject != further.Subject:
			return nil, refuse(ErrIdentity, "the response holds ID tokens of two identities")
		}
	}
	switch {
	case claims != nil:
		setIdentity(list, claims.Subject)
	case nonce != "":
		return nil, refuse(ErrIDTokenMissing, "openid was asked for and no ID token came; the login does not say who it is")
	}
	return claims, nil
}

// confirm verifies the ID tokens of a response to a client that knows whose tokens
// it asked for; identity is empty where it does not. One that fails is left out: the
// tokens do not depend on it, and what they replace may be revoked already. One
// that is good and names another identity refuses the response.
func (c client) confirm(ctx context.Context, list []tokens.Token, identity string) (problems []error, err error) {
	for i := range list {
		if list[i].IDToken == "" {
			continue
		}
		claims, err := c.verify(ctx, list[i], idtoken.Expect{NoNonce: true})
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("the ID token for %.100q is left out: %w", list[i].ResourceServer, err))
			list[i].IDToken = ""
		case identity == "":
			identity = claims.Subject
		case identity != claims.Subject:
			return nil, refuse(ErrIdentity, "the tokens are for the identity %.100q, not for %.100q", claims.Subject, identity)
		}
	}
	setIdentity(list, identity)
	return problems, nil
}

func setIdentity(list []tokens.Token, identity string) {
	for i := range list {
		list[i].IdentityID = identity
	}
}

// undo revokes the tokens of a response that is refused, as far as that can be
// done in a short time, so that no token is good that no program holds. What the caller keeps is not revoked.
func (c client) undo(ctx context.Context, response *gen.AnyTokenResponse, keeps string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	issued := []string{response.AccessToken, response.RefreshToken}
	for _, other := range response.OtherTokens {
		issued = append(issued, other.AccessToken, other.RefreshToken)
	}
	var group errgroup.Group
	group.SetLimit(undoLimit)
	for _, token := range issued {
		if token != "" && token != keeps {
			group.Go(func() error { return c.revoke(ctx, token, nil) })
		}
	}
	if err := group.Wait(); err != nil {
		c.auth.Logger().WarnContext(ctx, "flows: tokens of a refused response could not be revoked", "error", err)
	}
}
