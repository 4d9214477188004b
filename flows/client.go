package flows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/tokens"
)

// client is an OAuth2 client as the token endpoint sees it.
type client struct {
	auth   *globusauth.Client // with the client's own credentials, or with none
	id     string
	secret string // empty for a public client
}

func newClient(auth *globusauth.Client, id, secret string, public bool) (client, error) {
	switch {
	case auth == nil:
		return client{}, errors.New("the Client is nil; make one with globusauth.New")
	case id == "":
		return client{}, errors.New("the ClientID is empty; developers.globus.org gives one")
	case strings.ContainsFunc(id, notInClientID):
		return client{}, errors.New("the ClientID holds a colon, a blank or another character that no client ID has")
	case public:
		// Whatever credentials the caller's client has, they are not this client's.
		return client{auth: auth.WithCredentials(nil), id: id}, nil
	case secret == "":
		return client{}, errors.New("the ClientSecret is empty; a client without a secret is a Native")
	}
	return client{auth: auth.WithCredentials(globusauth.Basic(id, secret)), id: id, secret: secret}, nil
}

// formID is the client_id in a form: a client with a secret names itself by it.
func (c client) formID() string {
	if c.secret == "" {
		return c.id
	}
	return ""
}

// token asks the token endpoint.
func (c client) token(ctx context.Context, form gen.TokenRequest, opts []globusauth.CallOption) (*gen.TokenAnswer, error) {
	form.ClientID = c.formID()
	answer, err := c.auth.Token(ctx, form, opts...)
	if err != nil {
		return nil, redact(err, c.secret)
	}
	return answer, nil
}

func (c client) refresh(ctx context.Context, current tokens.Token, opts []globusauth.CallOption) (tokens.Set, error) {
	if current.RefreshToken == "" {
		return tokens.Set{}, fmt.Errorf("the token for %q has no refresh token: %w", current.ResourceServer, tokens.ErrLoginRequired)
	}
	answer, err := c.token(ctx, gen.TokenRequest{
		GrantType:    gen.GrantTypeRefreshToken,
		RefreshToken: current.RefreshToken,
	}, opts)
	if err != nil {
		return tokens.Set{}, err
	}
	list, err := listOf(answer, c.auth.Now())
	if err != nil {
		return tokens.Set{}, err
	}
	if current.ResourceServer == "" {
		current.ResourceServer = list[0].ResourceServer
	}
	if len(list) != 1 || list[0].ResourceServer != current.ResourceServer {
		return tokens.Set{}, refuse(ErrResourceServer, "asked for one token for %q, got %s", current.ResourceServer, namesOf(list))
	}
	if err := c.verifyRefreshed(ctx, &list[0], current); err != nil {
		return tokens.Set{}, err
	}
	fresh, err := tokens.NewSet(list...)
	if err != nil {
		return tokens.Set{}, err
	}
	if current.AccessToken == "" {
		// Somebody kept the refresh token alone; there is no token to merge with.
		current.AccessToken = list[0].AccessToken
	}
	before, err := tokens.NewSet(current)
	if err != nil {
		return tokens.Set{}, err
	}
	return before.Merge(fresh), nil
}

// verifyRefreshed checks the ID token that may come with a refreshed token
// (OpenID Connect Core section 12.2). One that cannot be checked, since the keys
// cannot be had, is dropped: the refresh token is spent, so that its answer must
// not be lost for it.
func (c client) verifyRefreshed(ctx context.Context, fresh *tokens.Token, before tokens.Token) error {
	if fresh.IDToken == "" {
		return nil
	}
	claims, err := c.verify(ctx, *fresh, idtoken.Expect{NoNonce: true})
	if errors.Is(err, idtoken.ErrUnavailable) || ctx.Err() != nil {
		fresh.IDToken = ""
		return nil //nolint:nilerr // the refreshed token must not be lost for want of a key
	}
	if err != nil {
		return err
	}
	if before.IdentityID != "" && before.IdentityID != claims.Subject {
		return refuse(ErrIdentity, "the refreshed token is for identity %q, the one before was for %q; log in again", claims.Subject, before.IdentityID)
	}
	fresh.IdentityID = claims.Subject
	return nil
}

func (c client) verify(ctx context.Context, token tokens.Token, expect idtoken.Expect) (*idtoken.Claims, error) {
	verifier, err := c.auth.IDTokenVerifier(c.id)
	if err != nil {
		return nil, err
	}
	expect.AccessToken = token.AccessToken
	return verifier.Verify(ctx, token.IDToken, expect)
}

func (c client) revoke(ctx context.Context, token string, opts []globusauth.CallOption) error {
	if token == "" {
		return errors.New("the token is empty")
	}
	answer, err := c.auth.Revoke(ctx, gen.RevokeRequest{Token: token, ClientID: c.formID()}, opts...)
	switch {
	case err != nil:
		return redact(err, c.secret)
	case answer.Active:
		return fmt.Errorf("%w: it says that the token is still active", globusauth.ErrMalformedResponse)
	}
	return nil
}

// notInClientID reports what would end the name in Basic credentials early (RFC
// 7617 section 2), or come from a file read with its line end.
func notInClientID(r rune) bool { return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r) }

func notVisible(r rune) bool { return r <= ' ' || r > '~' }
