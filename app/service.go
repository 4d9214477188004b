package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Service is a program that acts as itself, by client credentials. Its tokens
// never run out: it gets new ones when they do. Make one with [NewService]. It is
// safe for concurrent use.
type Service struct{ core *core }

// NewService checks the configuration. It makes no request and reads no store.
func NewService(config Config) (*Service, error) {
	s, err := newService(config)
	if err != nil {
		return nil, fmt.Errorf("app: new service: %w", err)
	}
	return s, nil
}

func newService(config Config) (*Service, error) {
	config, err := config.complete()
	switch {
	case err != nil:
		return nil, err
	case config.ClientSecret == "":
		return nil, errors.New("the ClientSecret is empty; a program without one is a User")
	case config.Login != nil || config.RedirectURI != "":
		return nil, errors.New("a Service logs nobody in: Login and RedirectURI belong to a User")
	}
	if config.Store == nil {
		config.Store = tokens.NewMemory()
	}
	c, err := newCore(config, config.Store, config.Scopes)
	if err != nil {
		return nil, err
	}
	flow := flows.Confidential{Client: config.Client, ClientID: config.ClientID, ClientSecret: config.ClientSecret}
	c.alone = true
	c.revoke = func(ctx context.Context, token string) error { return flow.Revoke(ctx, token) }
	c.obtain = func(ctx context.Context, want scopes.List, _ apierror.AuthorizationParameters) (tokens.Set, error) {
		flow := flow
		flow.Scopes = want
		return flow.ClientCredentials(ctx)
	}
	c.renew = func(renewal tokens.RefreshingConfig) (*tokens.Refreshing, error) {
		renewal.Now = config.Client.Now
		renewal.Grant = func(ctx context.Context) (tokens.Set, error) {
			return c.obtain(ctx, c.wanted(), apierror.AuthorizationParameters{})
		}
		return tokens.NewRefreshing(renewal)
	}
	c.check = func(_ context.Context, want scopes.List, stored tokens.Set) error {
		_, err := holders(want, stored)
		return err
	}
	return &Service{c}, nil
}

// Login gets tokens if scopes are missing or the options say so, which shows
// whether the credentials are good. Nobody has to call it. Of
// options.Authorization the RequiredScopes count.
func (s *Service) Login(ctx context.Context, options LoginOptions) error {
	err := s.core.addRequired(options.Authorization)
	if err == nil {
		err = s.core.login(ctx, options, always)
	}
	if err != nil {
		return fmt.Errorf("app: get tokens: %w", err)
	}
	return nil
}

// LoginRequired says what stored tokens lack; nil if nothing. See
// [User.LoginRequired].
func (s *Service) LoginRequired(ctx context.Context) error {
	if err := s.core.loginRequired(ctx); err != nil {
		return fmt.Errorf("app: check tokens: %w", err)
	}
	return nil
}

// Logout revokes and forgets the tokens. The next token that is asked for is a
// new one.
func (s *Service) Logout(ctx context.Context, options LogoutOptions) error {
	if err := s.core.logout(ctx, options); err != nil {
		return fmt.Errorf("app: revoke tokens: %w", err)
	}
	return nil
}

// AddScopes adds to what the service needs.
func (s *Service) AddScopes(more ...scopes.Scope) error { return s.core.addScopes(more) }

// TokenSource returns the token of a resource server, as [User.TokenSource] does.
func (s *Service) TokenSource(resourceServer string) tokens.Source {
	return s.core.tokenSource(resourceServer)
}

// HTTPClient returns a client that sends the token of a resource server, as
// [User.HTTPClient] does.
func (s *Service) HTTPClient(ctx context.Context, resourceServer string, hosts ...string) (*http.Client, error) {
	client, err := s.core.httpClient(ctx, resourceServer, hosts)
	if err != nil {
		return nil, fmt.Errorf("app: HTTP client for %q: %w", resourceServer, err)
	}
	return client, nil
}

// AuthClient returns a client of Globus Auth that calls as this service.
func (s *Service) AuthClient() *globusauth.Client { return s.core.authClient() }

// Tokens returns what is stored, usable or not.
func (s *Service) Tokens(ctx context.Context) (tokens.Set, error) {
	set, err := s.core.store.Load(ctx, s.core.key)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("app: stored tokens: %w", err)
	}
	return set, nil
}
