package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// closeTimeout is longer than a renewal takes with the step that it has after a suspension.
const closeTimeout = 75 * time.Second

// App keeps and renews one login: that of a person, made with [NewUser], or of
// a program with credentials of its own, made with [NewService]. It is safe for
// concurrent use; of several goroutines that need a login one runs it, and the
// others use it. Call [App.Close] before the program ends.
type App struct {
	config *Config // never changed; a pointer, because fmt does not look behind it
	key    tokens.Key
	// service: the client logs in as itself. What is missing, a source gets by itself.
	service bool

	turn   chan struct{} // holds one value while a login runs
	logins atomic.Int64  // counts logins
	epoch  atomic.Int64  // counts what may change whether stored tokens are sufficient

	mu      sync.Mutex // guards what follows
	scopes  scopes.List
	sources map[string]*source
	forest  *consents.Forest // what the person has consented to, as far as was asked
}

// Format prints the app without its secret, whatever the verb.
func (a *App) Format(state fmt.State, _ rune) { a.config.Format(state, 'v') }

// NewUser makes the app of a person. It checks the configuration, makes no request
// and reads no store.
func NewUser(config Config) (_ *App, err error) {
	defer prefix.Add(&err, "app: new user")
	if config.ClientSecret != "" && config.RedirectURI == "" && config.Login == nil {
		return nil, errors.New("the RedirectURI is empty; a client with a secret needs one, or a Login that brings its own")
	}
	if config.Store == nil {
		if config.Store, err = config.fileStore(); err != nil {
			return nil, err
		}
	}
	if config.Login == nil {
		config.Login = config.manager()
	}
	config.Scopes = slices.Concat(config.Scopes, scopes.List{scopes.AuthOpenID})
	return newApp(config, false)
}

// NewService makes the app of a program that acts as itself, by client
// credentials. It gets new tokens when they expire. NewService
// checks the configuration, makes no request and reads no store.
func NewService(config Config) (_ *App, err error) {
	defer prefix.Add(&err, "app: new service")
	switch {
	case config.ClientSecret == "":
		return nil, errors.New("the ClientSecret is empty; a program without one is a user's")
	case config.Login != nil || config.RedirectURI != "":
		return nil, errors.New("a service logs in no person: Login and RedirectURI belong to NewUser")
	}
	if config.Store == nil {
		config.Store = tokens.NewMemory()
	}
	return newApp(config, true)
}

func newApp(config Config, service bool) (*App, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	key, err := config.Client.TokenKey(config.ClientID, config.Namespace).Normal()
	if err != nil {
		return nil, err
	}
	if err := config.Scopes.Validate(); err != nil {
		return nil, err
	}
	if config.Scopes, err = scopes.Merge(config.Scopes); err != nil {
		return nil, err
	}
	return &App{
		config: &config, key: key, service: service, scopes: config.Scopes,
		turn: make(chan struct{}, 1), sources: map[string]*source{},
	}, nil
}

// Close waits until no login and no renewal of this app is in progress, so that what the service
// has issued is stored before the program ends. A renewal that was sent goes on although its
// caller's context has ended, for at most about a minute. End the contexts of logins before Close.
// An app can be used after Close.
//
// The error is that of ctx, which bounds the wait, unless it has ended before, as after Ctrl-C:
// then Close waits for at most 75 seconds, which is longer than a request takes.
func (a *App) Close(ctx context.Context) (err error) {
	defer prefix.Add(&err, "app: close")
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
	}
	if err := a.take(ctx); err != nil {
		return err
	}
	<-a.turn
	a.mu.Lock()
	all := slices.Collect(maps.Values(a.sources))
	a.mu.Unlock()
	for _, s := range all {
		if err := s.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// LoginRequired says why a login is needed; nil if none is. A reason is a
// tokens.ErrLoginRequired and one of this package's. Any other error says that it could
// not be found out: the store cannot be read, or the consents cannot be
// fetched, which are checked when the scopes of a person's app have dependencies.
func (a *App) LoginRequired(ctx context.Context) (err error) {
	defer prefix.Add(&err, "app: check login")
	_, err = a.inspect(ctx)
	return err
}

// inspect returns what is stored, and why it is not sufficient.
func (a *App) inspect(ctx context.Context) (tokens.Set, error) {
	stored, err := a.config.Store.Load(ctx, a.key)
	if err == nil {
		err = a.check(ctx, stored)
	}
	return stored, err
}

// AddScopes adds to what the app needs. The next call that needs a token logs in if
// they have not been granted.
func (a *App) AddScopes(more ...scopes.Scope) (err error) {
	defer prefix.Add(&err, "app: add scopes")
	a.mu.Lock()
	defer a.mu.Unlock()
	merged, err := scopes.Merge(a.scopes, more)
	if err != nil {
		return err
	}
	a.scopes = merged
	a.epoch.Add(1)
	return nil
}

// take waits until no other login runs, and keeps others from running.
func (a *App) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another login: %w", ctx.Err())
	}
}

func (a *App) wanted() scopes.List {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.scopes
}

// Tokens returns what is stored, usable or not.
func (a *App) Tokens(ctx context.Context) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "app: stored tokens")
	return a.config.Store.Load(ctx, a.key)
}

// Source returns the token of a resource server, as a source that renews it
// and logs in where it may. It makes no request; a mistake in the name shows in the
// first token that is asked for.
func (a *App) Source(resourceServer string) tokens.Source {
	s, err := a.source(resourceServer)
	if err != nil {
		return tokens.SourceFunc(func(context.Context) (tokens.Token, error) { return tokens.Token{}, err })
	}
	return s
}

// HTTPClient returns a client that sends the token of a resource server to the
// hosts it is meant for, after making sure that there is one, by a login if need
// be. Resource servers other than Globus's own need their hosts, as "host" or
// "host:port". A response with status 403 that asks for more authorization is an
// error, an *apierror.Error that is apierror.ErrAuthorizationRequired, or is
// resolved; see [Config.RedriveGAREs].
func (a *App) HTTPClient(ctx context.Context, resourceServer string, hosts ...string) (_ *http.Client, err error) {
	defer prefix.Add(&err, fmt.Sprintf("app: HTTP client for %q", resourceServer))
	s, err := a.source(resourceServer)
	if err != nil {
		return nil, err
	}
	client, err := flows.HTTPClient(a.config.Client, tokens.TransportConfig{
		Source: s, ResourceServer: resourceServer, Hosts: slices.Clone(hosts),
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.Token(ctx); err != nil {
		return nil, err
	}
	client.Transport = &redrive{app: a, base: client.Transport}
	return client, nil
}

// AuthClient returns a client of Globus Auth that calls with the app's own token, as
// far as its scopes allow. Its first call logs in if need be.
func (a *App) AuthClient() *globusauth.Client {
	return a.config.Client.WithCredentials(globusauth.BearerFrom(a.Source(scopes.AuthResourceServer)))
}

// flow returns the client, without scopes.
func (a *App) flow() flows.Config {
	c := a.config
	return flows.Config{
		Auth: c.Client, ClientID: c.ClientID, ClientSecret: c.ClientSecret, RedirectURI: c.RedirectURI,
		RefreshTokens: !c.NoRefreshTokens, PrefillNamedGrant: c.grantName(),
	}
}

// obtain gets tokens: by a login of the person, or by client credentials.
func (a *App) obtain(ctx context.Context, want scopes.List, asked apierror.AuthorizationParameters) (tokens.Set, error) {
	flow := a.flow()
	flow.Scopes = want
	if a.service {
		set, err := flow.ClientCredentials(ctx)
		if own := a.wanted(); errors.Is(err, apierror.ErrInvalidScope) && own.String() != want.String() {
			flow.Scopes = own // a scope that only a stored token holds may exist no longer
			set, err = flow.ClientCredentials(ctx)
		}
		return set, err
	}
	requested, err := names(want)
	if err != nil {
		return tokens.Set{}, err
	}
	set, _, err := a.config.Login.Login(ctx, flow, flows.WithAuthorization(asked))
	if err != nil {
		return set, err
	}
	return requesting(set.All(), requested, set.Problems()...), nil
}

// refreshing makes the source of a resource server's token.
func (a *App) refreshing(resourceServer string) (*tokens.Refreshing, error) {
	config := tokens.RefreshingConfig{Store: a.config.Store, Key: a.key, ResourceServer: resourceServer, RenewBefore: a.config.RenewBefore}
	if !a.service {
		return a.flow().Source(config)
	}
	config.Now = a.config.Client.Now
	config.Grant, config.IdentityID = a.grant, a.key.ClientID
	return tokens.NewRefreshing(config)
}

// grant gets the tokens of a service, inside the store's update.
func (a *App) grant(ctx context.Context) (tokens.Set, error) {
	stored, err := a.config.Store.Load(ctx, a.key)
	if err != nil {
		return tokens.Set{}, err
	}
	want, err := a.asks(stored, nil)
	if err != nil {
		return tokens.Set{}, err
	}
	return a.obtain(ctx, want, apierror.AuthorizationParameters{})
}

// source returns the one source of a resource server.
func (a *App) source(resourceServer string) (*source, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sources[resourceServer]; s != nil {
		return s, nil
	}
	refreshing, err := a.refreshing(resourceServer)
	if err != nil {
		return nil, err
	}
	s := &source{app: a, resourceServer: resourceServer, Refreshing: refreshing}
	a.sources[resourceServer] = s
	return s, nil
}

// changed makes all sources look again.
func (a *App) changed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.epoch.Add(1)
	for _, s := range a.sources {
		s.Forget()
	}
}
