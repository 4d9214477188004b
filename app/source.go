package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// source is the token of one resource server: a tokens.Refreshing that checks
// what the app needs whenever that may have changed, and logs in where it may. It is a tokens.Renewer.
type source struct {
	*tokens.Refreshing

	app            *App
	resourceServer string
	checked        atomic.Pointer[checked]
}

// checked is what the last check was about.
type checked struct {
	epoch           int64
	scope, identity string // of the token that was sufficient
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

// refreshing makes the source of a resource server's token.
func (a *App) refreshing(resourceServer string) (*tokens.Refreshing, error) {
	config := tokens.RefreshingConfig{Store: a.config.Store, Key: a.key, ResourceServer: resourceServer, RenewBefore: a.config.RenewBefore}
	if !a.service {
		return a.flow().Source(config)
	}
	config.Now, config.IdentityID = a.config.Client.Now, a.key.ClientID
	config.Grant = func(ctx context.Context) (tokens.Set, error) { // inside the store's update
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
	return tokens.NewRefreshing(config)
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

// sufficient reports whether the last check holds for a token.
func (s *source) sufficient(token *tokens.Token) bool {
	last := s.checked.Load()
	return last != nil && last.epoch == s.app.epoch.Load() && token.Scope == last.scope && token.IdentityID == last.identity &&
		s.app.lasts(token)
}

// Token returns a token that is not due for renewal.
func (s *source) Token(ctx context.Context) (token tokens.Token, err error) {
	if s.checked.Load() != nil {
		token, err = s.Refreshing.Token(ctx)
	}
	return s.prepare(ctx, token, err)
}

// Renew returns a token other than one that was rejected.
func (s *source) Renew(ctx context.Context, rejected tokens.Token) (tokens.Token, error) {
	token, err := s.Refreshing.Renew(ctx, rejected)
	return s.prepare(ctx, token, err)
}

// prepare returns a token that is sufficient, and another in place of the first one or one that is not, or
// was not obtained for the reason of err. It logs in at most once.
func (s *source) prepare(ctx context.Context, token tokens.Token, err error) (tokens.Token, error) {
	switch {
	case err == nil && s.sufficient(&token):
		return token, nil
	case err != nil && !errors.Is(err, tokens.ErrLoginRequired):
		return tokens.Token{}, err
	}
	a := s.app
	mayLogIn, since := a.service || !a.config.NoLogin, int64(always)
	for {
		epoch, logins := a.epoch.Load(), a.logins.Load()
		stored, cause := a.inspect(ctx)
		// Of errors that no login fixes, the source says itself that the store cannot be read; and that it is unknown
		// whether a dependency has been consented to must not stop a program with a good token: the service will say.
		enough := !errors.Is(cause, tokens.ErrLoginRequired) ||
			a.service && errors.Is(cause, ErrMissingToken) || // the source gets it inside the store's update
			!mayLogIn && errors.Is(cause, ErrMissingRefreshToken) // that works until it ends
		if enough {
			if token, cause = s.current(ctx, stored); cause == nil {
				s.checked.Store(&checked{epoch, token.Scope, token.IdentityID})
				return token, nil
			}
			if _, found := stored.ByResourceServer(s.resourceServer); !found && errors.Is(cause, tokens.ErrLoginRequired) {
				return tokens.Token{}, required(ErrMissingToken, "for %q, and no scope of the app is for it: add one", s.resourceServer)
			}
			since = logins // a login that ends meanwhile may give another token
		}
		if !mayLogIn || !errors.Is(cause, tokens.ErrLoginRequired) || errors.Is(cause, ErrIdentityMismatch) {
			return tokens.Token{}, cause
		}
		if err := a.login(ctx, LoginOptions{Force: enough}, since); err != nil {
			return tokens.Token{}, fmt.Errorf("%w (needed since: %w)", err, cause)
		}
		mayLogIn = false
	}
}

// current returns the token as it is stored: one that has other scopes than the
// stored one is still in memory after another App or process has logged in.
func (s *source) current(ctx context.Context, stored tokens.Set) (tokens.Token, error) {
	token, err := s.Refreshing.Token(ctx)
	if kept, _ := stored.ByResourceServer(s.resourceServer); err == nil && (kept.Scope != token.Scope || kept.IdentityID != token.IdentityID) {
		s.Forget()
		token, err = s.Refreshing.Token(ctx)
	}
	return token, err
}

// Renew renews every stored token of the client in this namespace now, also those that are not due,
// and returns what is stored then. It logs no person in. After an error, which names each token that could not be
// renewed, such as one without a refresh token, the others are renewed and stored all the same; they are in the set.
func (a *App) Renew(ctx context.Context) (_ tokens.Set, err error) {
	defer prefix.Add(&err, "app: renew")
	stored, err := a.config.Store.Load(ctx, a.key)
	if err == nil {
		_, err = a.owner(stored)
	}
	switch {
	case err != nil:
		return tokens.Set{}, err
	case stored.Equal(tokens.Set{}):
		return tokens.Set{}, required(ErrMissingToken, "log in first")
	}
	var problems []error
	for _, token := range stored.All() {
		if !a.service && token.RefreshToken == "" {
			problems = append(problems, required(ErrMissingRefreshToken, "for %q", token.ResourceServer))
			continue
		}
		s, err := a.source(token.ResourceServer)
		if err == nil {
			_, err = s.Refreshing.Renew(ctx, token)
		}
		problems = append(problems, err)
	}
	renewed, err := a.config.Store.Load(ctx, a.key)
	return renewed, errors.Join(append(problems, err)...)
}
