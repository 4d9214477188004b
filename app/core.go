package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// core is what a User and a Service have in common.
type core struct {
	config Config // Scopes aside, which AddScopes changes
	store  tokens.Store
	key    tokens.Key

	// How the two kinds differ.
	obtain func(ctx context.Context, want scopes.List, parameters apierror.AuthorizationParameters) (tokens.Set, error)
	revoke func(ctx context.Context, token string) error
	renew  func(config tokens.RefreshingConfig) (*tokens.Refreshing, error)
	check  func(ctx context.Context, want scopes.List, stored tokens.Set) error
	// alone: tokens come without a person. What is missing, a source gets by itself.
	alone bool

	turn   chan struct{} // holds one value while somebody logs in
	logins atomic.Int64  // counts logins
	epoch  atomic.Int64  // counts what may change whether stored tokens do

	mu      sync.Mutex // guards what follows
	scopes  scopes.List
	sources map[string]*source
}

func newCore(config Config, store tokens.Store, want scopes.List) (*core, error) {
	key, err := config.key().Normal()
	if err != nil {
		return nil, err
	}
	if err := want.Validate(); err != nil {
		return nil, err
	}
	return &core{
		config: config, store: store, key: key, scopes: want,
		turn: make(chan struct{}, 1), sources: map[string]*source{},
	}, nil
}

func (c *core) wanted() scopes.List {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scopes
}

// addScopes adds to the needs.
func (c *core) addScopes(more scopes.List) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	merged, err := scopes.Merge(c.scopes, more)
	if err != nil {
		return fmt.Errorf("app: add scopes: %w", err)
	}
	c.scopes = merged
	c.epoch.Add(1)
	return nil
}

// loginRequired says why what is stored does not do; nil if it does.
func (c *core) loginRequired(ctx context.Context) error {
	stored, err := c.store.Load(ctx, c.key)
	if err != nil {
		return err
	}
	return c.check(ctx, c.wanted(), stored)
}

// LoginOptions say what a login is to do.
type LoginOptions struct {
	// Force logs in although nothing requires it.
	Force bool
	// Authorization is what the login has to satisfy, beside the app's scopes: what
	// a service asked for in an *apierror.Error, or the program's own wish. If it is
	// not empty the login takes place.
	Authorization apierror.AuthorizationParameters
}

func (o LoginOptions) forced() bool {
	a := o.Authorization
	return o.Force || a.SessionMessage != "" || a.Prompt != "" || a.SessionRequiredMFA != nil ||
		len(a.SessionRequiredIdentities)+len(a.SessionRequiredPolicies)+len(a.SessionRequiredSingleDomain)+len(a.RequiredScopes) > 0
}

// always makes login ask nobody whether another login has done already.
const always = -1

// login logs in, one caller at a time. Who has waited for a login that began
// after the count since has it.
func (c *core) login(ctx context.Context, options LoginOptions, since int64) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for another login: %w", ctx.Err())
	}
	if since != always && c.logins.Load() != since {
		return nil
	}
	if !options.forced() {
		err := c.loginRequired(ctx)
		if !errors.Is(err, tokens.ErrLoginRequired) || errors.Is(err, ErrIdentityMismatch) {
			return err
		}
	}
	set, err := c.obtain(ctx, c.wanted(), options.Authorization)
	if err != nil {
		return err
	}
	if err := c.keep(ctx, set); err != nil {
		return err
	}
	c.logins.Add(1)
	c.changed()
	return nil
}

// keep stores the tokens of a login. Those of another person are given back.
func (c *core) keep(ctx context.Context, set tokens.Set) error {
	_, err := c.store.Update(ctx, c.key, func(current tokens.Set) (tokens.Set, error) {
		return current.Merge(set), sameIdentity(current, set)
	})
	if errors.Is(err, ErrIdentityMismatch) {
		for _, token := range set.All() {
			_ = c.end(ctx, token) // what is not stored is of no use to anybody
		}
	}
	return err
}

// changed makes all sources look again.
func (c *core) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch.Add(1)
	for _, s := range c.sources {
		s.Forget()
	}
}

// LogoutOptions say what a logout is to do.
type LogoutOptions struct {
	// Sweep logs out of everything that is stored for the client in this
	// namespace. Otherwise it is the tokens that hold scopes of the app.
	Sweep bool
	// Forget removes also tokens that the service could not be told to revoke. They
	// stay usable until they end, for whoever has them.
	Forget bool
}

// logout revokes tokens, and forgets those that are revoked.
func (c *core) logout(ctx context.Context, options LogoutOptions) error {
	want, err := names(c.wanted())
	if err != nil {
		return err
	}
	var problems []error
	// Inside the update, so that no other process renews a token meanwhile.
	_, err = c.store.Update(ctx, c.key, func(current tokens.Set) (tokens.Set, error) {
		var gone []string
		for _, token := range current.All() {
			if !options.Sweep && !holdsAny(token, want) {
				continue
			}
			err := c.end(ctx, token)
			if err != nil {
				problems = append(problems, fmt.Errorf("token for %q: %w", token.ResourceServer, err))
			}
			if err == nil || options.Forget {
				gone = append(gone, token.ResourceServer)
			}
		}
		return current.Without(gone...), nil
	})
	c.changed()
	return together(append(problems, err))
}

// together makes one error, on one line, of those that are not nil.
func together(list []error) error {
	var all error
	for _, err := range list {
		switch {
		case err == nil:
		case all == nil:
			all = err
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

// end revokes a token: the access token first, since the other's end does not end it.
func (c *core) end(ctx context.Context, token tokens.Token) error {
	if err := c.revoke(ctx, token.AccessToken); err != nil {
		return err
	}
	if token.RefreshToken == "" {
		return nil
	}
	return c.revoke(ctx, token.RefreshToken)
}

// source returns the one source of a resource server.
func (c *core) source(resourceServer string) (*source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sources[resourceServer]; s != nil {
		return s, nil
	}
	refreshing, err := c.renew(tokens.RefreshingConfig{Store: c.store, Key: c.key, ResourceServer: resourceServer})
	if err != nil {
		return nil, err
	}
	s := &source{core: c, resourceServer: resourceServer, Refreshing: refreshing}
	c.sources[resourceServer] = s
	return s, nil
}

// tokenSource is source for those who learn of a mistake when they ask for a token.
func (c *core) tokenSource(resourceServer string) tokens.Source {
	s, err := c.source(resourceServer)
	if err != nil {
		return failing{err}
	}
	return s
}

// httpClient makes sure that there is a token, and returns a client that sends it.
func (c *core) httpClient(ctx context.Context, resourceServer string, hosts []string) (*http.Client, error) {
	s, err := c.source(resourceServer)
	if err != nil {
		return nil, err
	}
	client, err := flows.HTTPClient(c.config.Client, tokens.TransportConfig{
		Source: s, ResourceServer: resourceServer, Hosts: slices.Clone(hosts),
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.Token(ctx); err != nil {
		return nil, err
	}
	client.Transport = &redrive{core: c, base: client.Transport}
	return client, nil
}

// authClient calls Globus Auth with the app's own token.
func (c *core) authClient() *globusauth.Client {
	return c.config.Client.WithCredentials(globusauth.TokenSource(c.tokenSource(scopes.AuthResourceServer)))
}
