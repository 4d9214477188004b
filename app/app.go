package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
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

	turn   *semaphore.Weighted             // of the one login that runs
	logins atomic.Int64                    // counts logins
	epoch  atomic.Int64                    // counts what may change whether stored tokens are sufficient
	forest atomic.Pointer[consents.Forest] // what the person has consented to, as far as was asked
	scopes atomic.Pointer[scopes.List]     // changed under mu

	mu      sync.Mutex
	sources map[string]*source // guarded by mu
}

// Format prints the app without its secret, whatever the verb.
func (a *App) Format(state fmt.State, _ rune) { a.config.Format(state, 'v') }

// NewUser makes the app of a person. It checks the configuration, makes no request
// and reads no store.
func NewUser(config Config) (_ *App, err error) {
	defer prefix.Add(&err, "app: new user")
	if config.Store == nil {
		if config.Name == "" {
			return nil, errors.New("the Name is empty; it, or a Store, says where tokens are kept")
		}
		if config.Store, err = filestore.New(filestore.Config{AppName: config.Name}); err != nil {
			return nil, err
		}
	}
	switch {
	case config.Login != nil:
	case config.RedirectURI != "":
		config.Login = login.CommandLine{}
	case config.ClientSecret != "":
		return nil, errors.New("the RedirectURI is empty; a client with a secret needs one, or a Login that brings its own")
	default:
		config.Login = login.Loopback{Name: config.Name, Getenv: config.Getenv}
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
	case len(config.Scopes) == 0:
		return nil, scopes.ErrEmpty
	}
	if config.Store == nil {
		config.Store = tokens.NewMemory()
	}
	return newApp(config, true)
}

func newApp(config Config, service bool) (_ *App, err error) {
	switch {
	case config.ClientID == "":
		return nil, errors.New("the ClientID is empty; developers.globus.org gives one")
	case len(config.Name) > 100 || strings.ContainsFunc(config.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("the Name is longer than 100 bytes or has control characters")
	case config.RenewBefore < 0:
		return nil, errors.New("the RenewBefore is negative")
	}
	if config.Client == nil {
		if config.Client, err = globusauth.New(globusauth.Config{AppName: headerName(config.Name)}); err != nil {
			return nil, err
		}
	}
	key, err := config.Client.TokenKey(config.ClientID, config.Namespace).Normal()
	if err != nil {
		return nil, err
	}
	if config.Scopes, err = scopes.Merge(config.Scopes); err != nil {
		return nil, err
	}
	a := &App{config: &config, key: key, service: service, turn: semaphore.NewWeighted(1), sources: map[string]*source{}}
	a.scopes.Store(&config.Scopes)
	return a, nil
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
	if err := a.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer a.turn.Release(1)
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

// AddScopes adds to what the app needs. The next call that needs a token logs in if
// they have not been granted.
func (a *App) AddScopes(more ...scopes.Scope) (err error) {
	defer prefix.Add(&err, "app: add scopes")
	a.mu.Lock()
	defer a.mu.Unlock()
	merged, err := scopes.Merge(a.wanted(), more)
	if err != nil {
		return err
	}
	a.scopes.Store(&merged)
	a.epoch.Add(1)
	return nil
}

func (a *App) wanted() scopes.List { return *a.scopes.Load() }

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
	source := a.Source(resourceServer)
	client, err := flows.HTTPClient(a.config.Client, tokens.TransportConfig{Source: source, ResourceServer: resourceServer, Hosts: hosts})
	if err != nil {
		return nil, err
	}
	if _, err := source.Token(ctx); err != nil {
		return nil, err
	}
	return &http.Client{Transport: &redrive{Client: client, app: a}}, nil
}

// AuthClient returns a client of Globus Auth that calls with the app's own token, as
// far as its scopes allow. Its first call logs in if need be.
func (a *App) AuthClient() *globusauth.Client {
	return a.config.Client.WithCredentials(globusauth.BearerFrom(a.Source(scopes.AuthResourceServer)))
}
