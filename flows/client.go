package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
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
	return c.auth.Token(ctx, form, opts...)
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
	list, problems := tokensOf(answer, c.auth.Now())
	if current.ResourceServer == "" && len(list) > 0 {
		current.ResourceServer = list[0].ResourceServer
	}
	nameless := slices.IndexFunc(list, func(t tokens.Token) bool { return t.ResourceServer == "" })
	if nameless >= 0 && !slices.ContainsFunc(list, func(t tokens.Token) bool { return t.ResourceServer == current.ResourceServer }) {
		list[nameless].ResourceServer = current.ResourceServer
	}
	unconfirmed, err := c.confirm(ctx, list, current.IdentityID)
	if err != nil {
		c.undo(ctx, answer, current.RefreshToken)
		return tokens.Set{}, fmt.Errorf("%w: %w", err, tokens.ErrLoginRequired)
	}
	fresh, err := c.salvage(ctx, list, append(problems, unconfirmed...))
	if err != nil {
		return tokens.Set{}, err
	}
	wanted, found := fresh.ByResourceServer(current.ResourceServer)
	if !found {
		c.undo(ctx, answer, current.RefreshToken)
		return tokens.Set{}, refuse(ErrResourceServer, "asked for a token for %.100q, got others (%d)", current.ResourceServer, len(fresh.All()))
	}
	current.AccessToken = wanted.AccessToken // it may be missing; what is kept is the rest
	return tokens.Salvage([]tokens.Token{current}).Merge(fresh), nil
}

func (c client) revoke(ctx context.Context, token string, opts []globusauth.CallOption) error {
	if token == "" {
		return errors.New("the token is empty")
	}
	answer, err := c.auth.Revoke(ctx, gen.RevokeRequest{Token: token, ClientID: c.formID()}, opts...)
	switch {
	case err != nil:
		return err
	case answer.Active:
		return fmt.Errorf("%w: it says that the token is still active", globusauth.ErrMalformedResponse)
	}
	return nil
}

// notInClientID reports what would end the name in Basic credentials early (RFC
// 7617 section 2), or come from a file read with its line end.
func notInClientID(r rune) bool { return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r) }

func notVisible(r rune) bool { return r <= ' ' || r > '~' }
