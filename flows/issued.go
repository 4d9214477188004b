package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/internal/redact"
	"github.com/globusauth/globusauth/tokens"
)

const (
	// maxExpiresIn is the longest lifetime that is believed, in seconds: 100 years, far
	// from where a time.Duration overflows.
	maxExpiresIn = 100 * 365 * 24 * 60 * 60
	// revokeTimeout bounds the revocation of tokens that are refused.
	revokeTimeout = 10 * time.Second
	// revokeLimit is how many of them are revoked at once.
	revokeLimit = 8
	// maxReport is how many bytes of the problems of a response are logged.
	maxReport = 2000
)

// issued is what the token endpoint returned for one request.
type issued struct {
	client

	request  gen.TokenRequest
	arrived  time.Time
	verifier *idtoken.Verifier
	entries  []gen.ResourceServerToken // the token at the top level first
	secrets  redact.Secrets            // of the request, which a server can echo
}

// token calls the token endpoint. The further secrets are not shown either when the
// server echoes them.
func (c client) token(ctx context.Context, form gen.TokenRequest, opts []globusauth.CallOption, further ...string) (*issued, error) {
	form.ClientID = c.formID
	secrets := append(further, form.Code, form.CodeVerifier, form.RefreshToken, form.Token, c.ClientSecret, c.ClientID+":"+c.ClientSecret)
	response, err := c.auth.Token(ctx, form, append(slices.Clip(opts), globusauth.WithSecrets(secrets...))...)
	if err != nil {
		return nil, err
	}
	i := &issued{client: c, request: form, arrived: c.auth.Now(), verifier: c.auth.IDTokens(), entries: response.OtherTokens, secrets: redact.New(secrets...)}
	top := gen.ResourceServerToken{
		AccessToken: response.AccessToken, RefreshToken: response.RefreshToken, TokenType: response.TokenType, ExpiresIn: response.ExpiresIn,
		ResourceServer: response.ResourceServer, Scope: response.Scope, IDToken: response.IDToken,
	}
	if top.AccessToken != "" || top.RefreshToken != "" || top.ResourceServer != "" { // the dependent grant returns others only
		i.entries = append([]gen.ResourceServerToken{top}, i.entries...)
	}
	for n := range i.entries {
		entry := &i.entries[n]
		for _, text := range []*string{&entry.TokenType, &entry.ResourceServer, &entry.Scope} {
			*text = i.secrets.Text(*text)
		}
	}
	return i, nil
}

// accept verifies the ID tokens, makes the usable tokens those of their subject, and
// logs what is not usable. Identity is whose tokens were requested, empty if unknown.
//
// With login, every ID token must be good, and with a nonce there must be one. Otherwise
// one that fails is left out: the tokens do not depend on it, and what they replace may
// be revoked already. A good one of another identity always refuses the response.
func (i *issued) accept(ctx context.Context, login bool, nonce, identity string) (set tokens.Set, claims *idtoken.Claims, err error) {
	var list []tokens.Token
	var problems []error
	for _, entry := range i.entries {
		if entry.TokenType != "" && !strings.EqualFold(entry.TokenType, "Bearer") { // must not be used (RFC 6749 section 7.1)
			problems = append(problems, fmt.Errorf("the token for %.100q is of the type %.100q; only Bearer is known", entry.ResourceServer, entry.TokenType))
			continue
		}
		if entry.IDToken != "" {
			verified, err := i.verify(ctx, entry, nonce)
			switch {
			case err != nil && login:
				return tokens.Set{}, nil, err
			case err != nil:
				problems = append(problems, fmt.Errorf("the ID token for %.100q is left out: %w", entry.ResourceServer, err))
				entry.IDToken = ""
			case identity != "" && identity != verified.Sub:
				return tokens.Set{}, nil, ErrIdentity.Failed("an ID token is for the identity %.100q, expected %.100q", verified.Sub, identity)
			default:
				identity, claims = verified.Sub, verified
			}
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
			token.Expiry = i.arrived.Add(token.Lifetime)
		}
		list = append(list, token)
	}
	for n := range list {
		list[n].IdentityID = identity
	}
	set = tokens.Salvage(list, problems...)
	if problems = set.Problems(); len(problems) > 0 {
		i.auth.Logger().WarnContext(ctx, "flows: parts of a token response are not usable",
			"count", len(problems), "problems", redact.Line(strings.ReplaceAll(errors.Join(problems...).Error(), "\n", "; "), maxReport))
	}
	switch {
	case len(set.All()) > 0 && nonce != "" && claims == nil:
		return tokens.Set{}, nil, ErrIdentity.Failed("openid was requested and no ID token came; the login does not say who it is")
	case len(set.All()) > 0:
		return set, claims, nil
	case len(problems) > 0:
		return tokens.Set{}, nil, ErrToken.Failed("the response holds no usable token: %.300s", problems[0])
	}
	return tokens.Set{}, nil, ErrToken.Failed("the response holds no token")
}

func (i *issued) verify(ctx context.Context, token gen.ResourceServerToken, nonce string) (*idtoken.Claims, error) {
	claims, err := i.verifier.Verify(ctx, token.IDToken, idtoken.Expect{ClientID: i.ClientID, AccessToken: token.AccessToken, Nonce: nonce, NoNonce: nonce == ""})
	if err != nil && i.secrets.In(err.Error()) {
		return nil, redactedError{errors.New(i.secrets.Text(err.Error())), func() error { return err }}
	}
	return claims, err
}

// revokeAll revokes the tokens of a response that is refused, also when ctx has ended,
// so that no unused token stays valid. The token that the request sent is the caller's.
func (i *issued) revokeAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(revokeLimit)
	for _, entry := range i.entries {
		for _, token := range []string{entry.AccessToken, entry.RefreshToken} {
			if token != "" && token != i.request.RefreshToken {
				group.Go(func() error { return i.revoke(ctx, token, nil) })
			}
		}
	}
	if err := group.Wait(); err != nil {
		i.auth.Logger().WarnContext(ctx, "flows: tokens of a refused response could not be revoked", "error", err)
	}
}

// named returns the position of the token for a resource server, -1 if there is none.
func (i *issued) named(resourceServer string) int {
	return slices.IndexFunc(i.entries, func(entry gen.ResourceServerToken) bool { return entry.ResourceServer == resourceServer })
}
