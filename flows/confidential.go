package flows

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Confidential is a client that keeps a secret: a web portal, a service, a
// resource server. People log in with the authorization code grant, and with PKCE
// as well; the client gets tokens of its own with the client credentials grant.
//
// Client, ClientID and ClientSecret are required, Scopes for a login and for
// client credentials, RedirectURI for a login. A Confidential is a value
// without state of its own: fill it in, copy it, use it from several goroutines; do
// not change it while it is used. It does not show its secret when it is
// printed, logged or encoded; in an unexported field of another struct, where
// package fmt cannot ask it, keep it behind a pointer and print with %v.
type Confidential struct {
	// Client calls the service. Its credentials are not used.
	Client *globusauth.Client
	// ClientID is the ID of the client's registration.
	ClientID string
	// ClientSecret is the secret of one of the client's credentials.
	ClientSecret string
	// Scopes are what a login, or ClientCredentials, asks for. With
	// scopes.AuthOpenID among them a login gives an ID token, and fails without one.
	Scopes scopes.List
	// RedirectURI is where the browser is sent with the code, exactly as it is
	// registered: https, or http on a loopback address.
	RedirectURI string
	// RefreshTokens asks for a refresh token beside every access token of a login.
	RefreshTokens bool
	// LoginTimeout is how long after Start a login can be finished. Zero means one hour.
	LoginTimeout time.Duration
	// Rand is the source of verifier, state and nonce, for tests. Nil means
	// crypto/rand.
	Rand io.Reader
}

// Start begins the login of a person, as [Native.Start] does.
func (c Confidential) Start(options ...StartOption) (Login, error) {
	f, err := c.flow()
	if err != nil {
		return Login{}, fmt.Errorf("flows: start login: %w", err)
	}
	return f.start(options)
}

// Resume reads a stored login, as [Native.Resume] does.
func (c Confidential) Resume(data []byte) (Login, error) {
	f, err := c.flow()
	if err != nil {
		return Login{}, fmt.Errorf("flows: resume login: %w", err)
	}
	return f.resume(data)
}

// Refresh gets a new access token for current.RefreshToken, as [Native.Refresh]
// does.
func (c Confidential) Refresh(ctx context.Context, current tokens.Token, opts ...globusauth.CallOption) (tokens.Set, error) {
	self, err := c.client()
	var set tokens.Set
	if err == nil {
		set, err = self.refresh(ctx, current, opts)
	}
	if err != nil {
		return tokens.Set{}, fmt.Errorf("flows: refresh token: %w", err)
	}
	return set, nil
}

// Revoke ends an access or refresh token, as [Native.Revoke] does.
func (c Confidential) Revoke(ctx context.Context, token string, opts ...globusauth.CallOption) error {
	self, err := c.client()
	if err == nil {
		err = self.revoke(ctx, token, opts)
	}
	if err != nil {
		return fmt.Errorf("flows: revoke token: %w", err)
	}
	return nil
}

// Source keeps one token of a person's login usable by its refresh token, as
// [Native.Source] does. Tokens of several people need a Namespace each in
// config.Key.
func (c Confidential) Source(config tokens.RefreshingConfig) (*tokens.Refreshing, error) {
	self, err := c.client()
	if err != nil {
		return nil, fmt.Errorf("flows: token source: %w", err)
	}
	return self.source(config)
}

func (c Confidential) client() (client, error) {
	return newClient(c.Client, c.ClientID, c.ClientSecret, false)
}

func (c Confidential) flow() (*flow, error) {
	self, err := c.client()
	if err != nil {
		return nil, err
	}
	f := &flow{
		client: self, scopes: c.Scopes, redirectURI: c.RedirectURI, offline: c.RefreshTokens,
		timeout: c.LoginTimeout, random: c.Rand,
	}
	return f, f.complete()
}

// summary is what may be seen of the client.
func (c Confidential) summary() string {
	return fmt.Sprintf("flows.Confidential{ClientID: %q, Scopes: %q, RedirectURI: %q}", c.ClientID, c.Scopes.String(), c.RedirectURI)
}

// Format prints the client without its secret, whatever the verb.
func (c Confidential) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.summary()) }

// LogValue logs the client without its secret.
func (c Confidential) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// MarshalText writes the client without its secret, also for encoding/json and
// the like. It cannot be read back.
func (c Confidential) MarshalText() ([]byte, error) { return []byte(c.summary()), nil }
