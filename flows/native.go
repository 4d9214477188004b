package flows

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Native is a public client: a program on somebody's own machine, which can keep
// no secret. Its logins are bound to it by PKCE (RFC 7636, RFC 8252).
//
// Client and ClientID are required, Scopes as well for a login. A Native is a
// value without state of its own: fill it in, copy it, use it from several
// goroutines; do not change it while it is used.
type Native struct {
	// Client calls the service. Its credentials are not used.
	Client *globusauth.Client
	// ClientID is the ID of the client's registration.
	ClientID string
	// Scopes are what a login asks for. With scopes.AuthOpenID among them the
	// login gives an ID token, and fails without one.
	Scopes scopes.List
	// RedirectURI is where the browser is sent with the code: a loopback address, an
	// https address or a private scheme such as "edu.example.tool:/login". Empty
	// means the service's own page, which shows the code for copying.
	RedirectURI string
	// RefreshTokens asks for a refresh token beside every access token.
	RefreshTokens bool
	// PrefillNamedGrant is the label suggested on the consent page, such as
	// "my-tool on laptop". Empty means none.
	PrefillNamedGrant string
	// LoginTimeout is how long after Start a login can be finished. Zero means one hour.
	LoginTimeout time.Duration
	// Rand is the source of verifier, state and nonce, for tests. Nil means
	// crypto/rand.
	Rand io.Reader
}

// Start begins a login. It makes no request.
//
// The scopes must be well-formed (the error is one of package scopes), the
// redirect URI one that keeps the code to this client.
func (n Native) Start(options ...StartOption) (Login, error) {
	f, err := n.flow()
	if err != nil {
		return Login{}, fmt.Errorf("flows: start login: %w", err)
	}
	return f.start(options)
}

// Resume reads a login that [Login.MarshalStorage] wrote, in this process or
// another, and that a Native with the same Client, ClientID and RedirectURI had
// started. The error is [ErrStored], or [ErrExpired]; it holds nothing
// of data.
func (n Native) Resume(data []byte) (Login, error) {
	f, err := n.flow()
	if err != nil {
		return Login{}, fmt.Errorf("flows: resume login: %w", err)
	}
	return f.resume(data)
}

// Refresh gets a new access token for current.RefreshToken. The set holds that
// token, and those for other resource servers that came with it; merge it into the set of
// the login. What the response leaves out, the refresh token first of all, is
// kept from current. What could not be read is in [tokens.Set.Problems], among
// it an ID token that fails a check or whose keys cannot be had: the tokens are good without it.
//
// Errors: tokens.ErrLoginRequired without a refresh token;
// apierror.ErrInvalidGrant when the service does not take it any more, which is
// final; [ErrIdentity], with tokens.ErrLoginRequired, when a verified ID token names another identity than
// current, and [ErrResourceServer] when no token is for current.ResourceServer: the
// tokens that came are then revoked. The request is retried only if it cannot have used the token.
func (n Native) Refresh(ctx context.Context, current tokens.Token, opts ...globusauth.CallOption) (tokens.Set, error) {
	c, err := n.client()
	var set tokens.Set
	if err == nil {
		set, err = c.refresh(ctx, current, opts)
	}
	if err != nil {
		return tokens.Set{}, fmt.Errorf("flows: refresh token: %w", err)
	}
	return set, nil
}

// Revoke ends an access or refresh token (RFC 7009). Revoking a refresh token
// does not end the access tokens that came from it: revoke the access token first,
// then the refresh token.
func (n Native) Revoke(ctx context.Context, token string, opts ...globusauth.CallOption) error {
	c, err := n.client()
	if err == nil {
		err = c.revoke(ctx, token, opts)
	}
	if err != nil {
		return fmt.Errorf("flows: revoke token: %w", err)
	}
	return nil
}

// Source keeps one token of a login usable by its refresh token. Config needs
// Store and ResourceServer; the ClientID and Environment of its Key, Refresh and Now
// are filled in, and Grant must be nil.
func (n Native) Source(config tokens.RefreshingConfig) (*tokens.Refreshing, error) {
	c, err := n.client()
	if err != nil {
		return nil, fmt.Errorf("flows: token source: %w", err)
	}
	return c.source(config)
}

func (n Native) client() (client, error) { return newClient(n.Client, n.ClientID, "", true) }

func (n Native) flow() (*flow, error) {
	c, err := n.client()
	if err != nil {
		return nil, err
	}
	f := &flow{
		client: c, scopes: n.Scopes, redirectURI: n.RedirectURI, offline: n.RefreshTokens,
		namedGrant: n.PrefillNamedGrant, timeout: n.LoginTimeout, random: n.Rand,
	}
	if f.redirectURI == "" {
		f.redirectURI = c.codePage()
	}
	return f, f.complete()
}
