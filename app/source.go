package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/globusauth/globusauth/tokens"
)

// source is the token of one resource server: a tokens.Refreshing that checks
// what the app needs whenever that may have changed, and logs in where it may.
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

var (
	_ tokens.Source  = (*source)(nil)
	_ tokens.Renewer = (*source)(nil)
)

// sufficient reports whether the last check holds for a token.
func (s *source) sufficient(token *tokens.Token) bool {
	last := s.checked.Load()
	return last != nil && last.epoch == s.app.epoch.Load() && token.Scope == last.scope && token.IdentityID == last.identity &&
		s.app.lasts(token)
}

// Token returns a token that is not due for renewal.
func (s *source) Token(ctx context.Context) (token tokens.Token, err error) {
	// Named results save a copy of the token.
	if s.checked.Load() == nil {
		return s.prepare(ctx)
	}
	if token, err = s.Refreshing.Token(ctx); err == nil && s.sufficient(&token) {
		return token, nil
	}
	return s.otherwise(ctx, err)
}

// Renew returns a token other than one that was rejected.
func (s *source) Renew(ctx context.Context, rejected tokens.Token) (tokens.Token, error) {
	token, err := s.Refreshing.Renew(ctx, rejected)
	if err == nil && s.sufficient(&token) {
		return token, nil
	}
	return s.otherwise(ctx, err)
}

// otherwise returns another token if the current one is not sufficient or was not
// obtained.
func (s *source) otherwise(ctx context.Context, err error) (tokens.Token, error) {
	if err != nil && !errors.Is(err, tokens.ErrLoginRequired) {
		return tokens.Token{}, err
	}
	return s.prepare(ctx)
}

// prepare gives out the first token after a change, or after the last way to
// renew it has ended. It logs in at most once.
func (s *source) prepare(ctx context.Context) (tokens.Token, error) {
	logins := s.app.logins.Load()
	epoch := s.app.epoch.Load()
	mayLogIn := s.app.service || !s.app.config.NoLogin
	reason := s.app.loginRequired(ctx)
	switch {
	case !s.needed(reason):
	case errors.Is(reason, ErrIdentityMismatch):
		return tokens.Token{}, reason // no login fixes that
	case !mayLogIn && errors.Is(reason, ErrMissingRefreshToken): // it works until it ends
	case !mayLogIn:
		return tokens.Token{}, reason
	default:
		if err := s.app.login(ctx, LoginOptions{}, always); err != nil {
			return tokens.Token{}, err
		}
		mayLogIn = false
		epoch = s.app.epoch.Load()
		// A login without refresh tokens is one that works.
		if reason = s.app.loginRequired(ctx); s.needed(reason) && !errors.Is(reason, ErrMissingRefreshToken) {
			return tokens.Token{}, fmt.Errorf("after a login: %w", reason)
		}
	}
	// Other errors of the check do not matter here. That the store cannot be read, the source
	// says itself. That it is unknown whether a dependency has been consented to
	// must not stop a program with a good token: the service will say.
	token, err := s.current(ctx)
	if errors.Is(err, tokens.ErrLoginRequired) {
		if token, err = s.refused(ctx, err, mayLogIn, logins); err == nil {
			epoch = s.app.epoch.Load()
		}
	}
	if err != nil {
		return tokens.Token{}, err
	}
	s.checked.Store(&checked{epoch, token.Scope, token.IdentityID})
	return token, nil
}

// current returns the token as it is stored: one that has other scopes than the
// stored one is still in memory after another App or process has logged in.
func (s *source) current(ctx context.Context) (tokens.Token, error) {
	token, err := s.Refreshing.Token(ctx)
	if err != nil {
		return tokens.Token{}, err
	}
	set, err := s.app.config.Store.Load(ctx, s.app.key)
	stored, found := set.ByResourceServer(s.resourceServer)
	if err != nil || !found || (stored.Scope == token.Scope && stored.IdentityID == token.IdentityID) {
		return token, nil //nolint:nilerr // a store that cannot be read takes no good token away
	}
	s.Forget()
	return s.Refreshing.Token(ctx)
}

// needed reports whether a login has to take place first.
func (s *source) needed(reason error) bool {
	if s.app.service && errors.Is(reason, ErrMissingToken) {
		return false // the source gets it, inside the store's update
	}
	return errors.Is(reason, tokens.ErrLoginRequired)
}

// refused handles a stored token that cannot be used: it does not belong to the login,
// or the service no longer renews it.
func (s *source) refused(ctx context.Context, cause error, mayLogIn bool, logins int64) (tokens.Token, error) {
	stored, err := s.app.config.Store.Load(ctx, s.app.key)
	if err != nil {
		return tokens.Token{}, err
	}
	if _, found := stored.ByResourceServer(s.resourceServer); !found {
		return tokens.Token{}, required(ErrMissingToken, "for %q, and no scope of the app is for it: add one", s.resourceServer)
	}
	if !mayLogIn {
		return tokens.Token{}, cause
	}
	if err := s.app.login(ctx, LoginOptions{Force: true}, logins); err != nil {
		return tokens.Token{}, fmt.Errorf("%w (needed since: %w)", err, cause)
	}
	return s.Refreshing.Token(ctx)
}
