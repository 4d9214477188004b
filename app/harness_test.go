package app_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

// person is a login manager: a browser whose user is signed in and says yes.
type person struct {
	server *authtest.Server
	http   *http.Client // in place of the server's

	mu       sync.Mutex
	username string // "" is the first of the built-in world
	logins   []url.Values
	refuse   error         // fails every login
	hold     chan struct{} // if set, logins wait for it
	held     int           // logins that wait
	done     func()        // called when a login has its tokens
}

func (p *person) Login(ctx context.Context, config flows.Config, options ...flows.StartOption) (tokens.Set, *idtoken.Claims, error) {
	p.mu.Lock()
	username, refuse, hold := p.username, p.refuse, p.hold
	p.mu.Unlock()
	if hold != nil {
		p.mu.Lock()
		p.held++
		p.mu.Unlock()
		select {
		case <-hold:
		case <-ctx.Done():
			return tokens.Set{}, nil, ctx.Err()
		}
	}
	begun, err := config.Start(options...)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	target, err := url.Parse(begun.URL())
	if err != nil {
		return tokens.Set{}, nil, err
	}
	query := target.Query()
	p.mu.Lock()
	p.logins = append(p.logins, target.Query())
	p.mu.Unlock()
	if refuse != nil {
		return tokens.Set{}, nil, refuse
	}
	if username != "" {
		query.Set("login_hint", username)
		target.RawQuery = query.Encode()
	}
	browser := p.http
	if browser == nil {
		browser = p.server.Client()
	}
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return tokens.Set{}, nil, err
	}
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		return tokens.Set{}, nil, errors.New("the server redirects nowhere: " + resp.Status)
	}
	set, claims, err := begun.Finish(ctx, location.Query())
	if p.done != nil {
		p.done()
	}
	return set, claims, err
}

// waiting returns when so many logins wait for hold.
func (p *person) waiting(tb testing.TB, logins int) {
	tb.Helper()
	for {
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		if held >= logins {
			return
		}
		if tb.Context().Err() != nil {
			tb.Fatal("the logins do not begin")
		}
		runtime.Gosched()
	}
}

func (p *person) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.logins)
}

func (p *person) last(tb testing.TB) url.Values {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.logins) == 0 {
		tb.Fatal("no login has taken place")
	}
	return p.logins[len(p.logins)-1]
}

func (p *person) become(username string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.username = username
}

// world is a test double, a client of it, a store and a person.
type world struct {
	*authtest.Server
	client *globusauth.Client
	store  tokens.Store
	person *person
}

func newWorld(tb testing.TB, config authtest.Config) *world {
	tb.Helper()
	server := authtest.NewWith(tb, config)
	client, err := globusauth.New(globusauth.Config{
		BaseURL: server.BaseURL(), HTTPClient: server.Client(), Now: server.Now, MaxRetries: -1,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return &world{Server: server, client: client, store: tokens.NewMemory(), person: &person{server: server}}
}

// config is that of a native app that needs Transfer.
func (w *world) config() app.Config {
	return app.Config{
		ClientID: w.Ready().NativeClientID, Name: "my-tool", Scopes: scopes.List{scopes.TransferAll},
		Client: w.client, Store: w.store, Login: w.person,
	}
}

func (w *world) user(tb testing.TB, change func(*app.Config)) *app.App {
	tb.Helper()
	config := w.config()
	if change != nil {
		change(&config)
	}
	user, err := app.NewUser(config)
	if err != nil {
		tb.Fatal(err)
	}
	return user
}

func (w *world) service(tb testing.TB, change func(*app.Config)) *app.App {
	tb.Helper()
	ready := w.Ready()
	config := app.Config{
		ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret,
		Scopes: scopes.List{scopes.TransferAll}, Client: w.client,
	}
	if change != nil {
		change(&config)
	}
	service, err := app.NewService(config)
	if err != nil {
		tb.Fatal(err)
	}
	return service
}

func (w *world) key() tokens.Key {
	return tokens.Key{ClientID: w.Ready().NativeClientID, Address: w.client.Address()}
}

// stored is what a resource server's token is in the store.
func (w *world) stored(tb testing.TB, resourceServer string) tokens.Token {
	tb.Helper()
	set, err := w.store.Load(tb.Context(), w.key())
	if err != nil {
		tb.Fatal(err)
	}
	token, _ := set.ByResourceServer(resourceServer)
	return token
}

// change changes every stored token.
func (w *world) change(tb testing.TB, change func(*tokens.Token)) {
	tb.Helper()
	_, err := w.store.Update(tb.Context(), w.key(), func(current tokens.Set) (tokens.Set, error) {
		list := current.All()
		for i := range list {
			change(&list[i])
		}
		return tokens.NewSet(list...)
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// active reports whether the service accepts a token.
func (w *world) active(tb testing.TB, accessToken string) bool {
	tb.Helper()
	_, err := w.client.WithCredentials(globusauth.Bearer(accessToken)).GetUserinfo(tb.Context())
	return err == nil
}

func (w *world) grants(grantType string) map[string]int { return w.Stats().Grants[grantType] }

func token(tb testing.TB, source tokens.Source) tokens.Token {
	tb.Helper()
	got, err := source.Token(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// wantLogin fails unless an error asks for a login for the given reason.
func wantLogin(tb testing.TB, err, reason error) {
	tb.Helper()
	if !errors.Is(err, tokens.ErrLoginRequired) || !errors.Is(err, reason) {
		tb.Errorf("error %v, want one that is %v", err, reason)
		return
	}
	for _, other := range []error{app.ErrMissingToken, app.ErrTokenExpired, app.ErrMissingRefreshToken, app.ErrUnmetScopes, app.ErrIdentityMismatch} {
		if !errors.Is(reason, other) && errors.Is(err, other) {
			tb.Errorf("error %v is %v as well", err, other)
		}
	}
}

func hasScopes(text string, want ...scopes.Scope) bool {
	held := strings.Fields(text)
	return !slices.ContainsFunc(want, func(s scopes.Scope) bool { return !slices.Contains(held, string(s)) })
}

// brokenStore fails.
type brokenStore struct{ tokens.Store }

func (brokenStore) Load(context.Context, tokens.Key) (tokens.Set, error) {
	return tokens.Set{}, errTest
}

func (brokenStore) Update(context.Context, tokens.Key, func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	return tokens.Set{}, errTest
}

// realClock is a client of the test double that looks at the system's clock.
func realClock(tb testing.TB, w *world) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{BaseURL: w.BaseURL(), HTTPClient: w.Client()})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func noRefresh(context.Context, tokens.Token) (tokens.Set, error) { return tokens.Set{}, errTest }
