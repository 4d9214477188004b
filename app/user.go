package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// User is a person's tool: their login, kept and renewed. Make one with
// [NewUser]. It is safe for concurrent use; of several goroutines that need a
// login one runs it, and the others have it.
type User struct {
	core     *core
	manager  login.Manager
	consents consentCheck
}

// NewUser checks the configuration. It makes no request and reads no store.
func NewUser(config Config) (*User, error) {
	u, err := newUser(config)
	if err != nil {
		return nil, fmt.Errorf("app: new user: %w", err)
	}
	return u, nil
}

func newUser(config Config) (*User, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	if config.ClientSecret != "" && config.RedirectURI == "" && config.Login == nil {
		return nil, errors.New("the RedirectURI is empty; a client with a secret needs one, or a Login that brings its own")
	}
	if config.Store == nil {
		if config.Store, err = config.fileStore(); err != nil {
			return nil, err
		}
	}
	u := &User{manager: config.Login}
	if u.manager == nil {
		u.manager = config.manager()
	}
	want, err := scopes.Merge(config.Scopes, scopes.List{scopes.AuthOpenID})
	if err != nil {
		return nil, err
	}
	if u.core, err = newCore(config, config.Store, want); err != nil {
		return nil, err
	}
	u.core.check, u.core.obtain = u.validate, u.obtain
	if config.ClientSecret == "" {
		native := flows.Native{Client: config.Client, ClientID: config.ClientID}
		u.core.renew = native.Source
		u.core.revoke = func(ctx context.Context, token string) error { return native.Revoke(ctx, token) }
		return u, nil
	}
	confidential := flows.Confidential{Client: config.Client, ClientID: config.ClientID, ClientSecret: config.ClientSecret}
	u.core.renew = confidential.Source
	u.core.revoke = func(ctx context.Context, token string) error { return confidential.Revoke(ctx, token) }
	return u, nil
}

// obtain runs a login.
func (u *User) obtain(ctx context.Context, want scopes.List, parameters apierror.AuthorizationParameters) (tokens.Set, error) {
	config, option := u.core.config, flows.WithAuthorization(parameters)
	if config.ClientSecret == "" {
		return u.manager.Login(ctx, login.Native(flows.Native{
			Client: config.Client, ClientID: config.ClientID, Scopes: want, RedirectURI: config.RedirectURI,
			RefreshTokens: !config.NoRefreshTokens, PrefillNamedGrant: config.grantName(),
		}, option))
	}
	return u.manager.Login(ctx, login.Confidential(flows.Confidential{
		Client: config.Client, ClientID: config.ClientID, ClientSecret: config.ClientSecret, Scopes: want,
		RedirectURI: config.RedirectURI, RefreshTokens: !config.NoRefreshTokens,
	}, option))
}

// Login logs in, if [User.LoginRequired] or the options say so, and stores what
// the login gives beside what is stored. Tokens of another person are refused with
// [ErrIdentityMismatch], revoked, and not stored.
func (u *User) Login(ctx context.Context, options LoginOptions) error {
	if err := u.core.login(ctx, options, always); err != nil {
		return fmt.Errorf("app: log in: %w", err)
	}
	return nil
}

// LoginRequired says why a login is needed; nil if none is. A reason is a
// tokens.ErrLoginRequired and one of this package's. Any other error says that it could
// not be found out: the store cannot be read, or the consents cannot be
// fetched, which are looked at when the app's scopes have dependencies.
func (u *User) LoginRequired(ctx context.Context) error {
	if err := u.core.loginRequired(ctx); err != nil {
		return fmt.Errorf("app: check login: %w", err)
	}
	return nil
}

// Logout revokes the tokens, and forgets those that are revoked: access token
// and refresh token of every resource server. After an error the login that
// could not be ended is still there, unless [LogoutOptions.Forget].
func (u *User) Logout(ctx context.Context, options LogoutOptions) error {
	if err := u.core.logout(ctx, options); err != nil {
		return fmt.Errorf("app: log out: %w", err)
	}
	return nil
}

// AddScopes adds to what the app needs. Whatever asks for a token next logs in if
// they have not been granted.
func (u *User) AddScopes(more ...scopes.Scope) error { return u.core.addScopes(more) }

// TokenSource returns the token of a resource server, as a source that renews it
// and logs in where it may. It makes no request; a mistake in the name shows in the
// first token that is asked for.
func (u *User) TokenSource(resourceServer string) tokens.Source {
	return u.core.tokenSource(resourceServer)
}

// HTTPClient returns a client that sends the token of a resource server to the
// hosts it is meant for, after making sure that there is one, by a login if need
// be. Resource servers other than Globus's own need their hosts, as "host" or
// "host:port". An answer with status 403 that asks for more authorization is an
// error, an *apierror.Error that is apierror.ErrAuthorizationRequired, or is
// resolved; see [Config.RedriveGAREs].
func (u *User) HTTPClient(ctx context.Context, resourceServer string, hosts ...string) (*http.Client, error) {
	client, err := u.core.httpClient(ctx, resourceServer, hosts)
	if err != nil {
		return nil, fmt.Errorf("app: HTTP client for %q: %w", resourceServer, err)
	}
	return client, nil
}

// AuthClient returns a client of Globus Auth that calls as this person, as far as
// the app's scopes allow. Its first call logs in if need be.
func (u *User) AuthClient() *globusauth.Client { return u.core.authClient() }

// Tokens returns what is stored, usable or not.
func (u *User) Tokens(ctx context.Context) (tokens.Set, error) {
	set, err := u.core.store.Load(ctx, u.core.key)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("app: stored tokens: %w", err)
	}
	return set, nil
}
