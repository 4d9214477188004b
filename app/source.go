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
		return s.prepare(ctx, nil)
	}
	if token, err = s.Refreshing.Token(ctx); err == nil && s.sufficient(&token) {
		return token, nil
	}
	return s.prepare(ctx, err)
}

// Renew returns a token other than one that was rejected.
func (s *source) Renew(ctx context.Context, rejected tokens.Token) (tokens.Token, error) {
	token, err := s.Refreshing.Renew(ctx, rejected)
	if err == nil && s.sufficient(&token) {
		return token, nil
	}
	return s.prepare(ctx, err)
}

// prepare gives out the first token, and another where the current one is not sufficient or, for the reason
// of err, was not obtained. It logs in at most once.
func (s *source) prepare(ctx context.Context, err error) (tokens.Token, error) {
	if err != nil && !errors.Is(err, tokens.ErrLoginRequired) {
		return tokens.Token{}, err
	}
	a := s.app
	mayLogIn, since := a.service || !a.config.NoLogin, int64(always)
	for loggedIn := false; ; loggedIn = true {
		epoch, logins := a.epoch.Load(), a.logins.Load()
		stored, cause := a.inspect(ctx)
		enough := s.enough(cause) || !mayLogIn && errors.Is(cause, ErrMissingRefreshToken) // that works until it ends
		if enough {
			var token tokens.Token
			if token, cause = s.current(ctx, stored); cause == nil {
				s.checked.Store(&checked{epoch, token.Scope, token.IdentityID})
				return token, nil
			}
			since = logins // a login that ends meanwhile may give another token
		}
		if loggedIn {
			cause = fmt.Errorf("after a login: %w", cause)
		}
		switch {
		case !errors.Is(cause, tokens.ErrLoginRequired) || errors.Is(cause, ErrIdentityMismatch), // no login fixes that
			errors.Is(cause, errNoScope), !mayLogIn:
			return tokens.Token{}, cause
		}
		if err := a.login(ctx, LoginOptions{Force: enough}, since); err != nil {
			return tokens.Token{}, fmt.Errorf("%w (needed since: %w)", err, cause)
		}
		mayLogIn = false
	}
}

// enough reports whether the source may be asked for its token. What a service lacks, the source gets inside
// the store's update. Errors other than those that a login fixes do not matter here: that the store cannot be read,
// the source says itself, and that it is unknown whether a dependency has been consented to must not stop
// a program with a good token: the service will say.
func (s *source) enough(reason error) bool {
	return !errors.Is(reason, tokens.ErrLoginRequired) || s.app.service && errors.Is(reason, ErrMissingToken)
}

// errNoScope is a missing token that no login gives.
var errNoScope = errors.New("no scope of the app is for it: add one")

// current returns the token as it is stored: one that has other scopes than the
// stored one is still in memory after another App or process has logged in.
func (s *source) current(ctx context.Context, stored tokens.Set) (tokens.Token, error) {
	kept, found := stored.ByResourceServer(s.resourceServer)
	token, err := s.Refreshing.Token(ctx)
	if err == nil && found && (kept.Scope != token.Scope || kept.IdentityID != token.IdentityID) {
		s.Forget()
		token, err = s.Refreshing.Token(ctx)
	}
	if !found && errors.Is(err, tokens.ErrLoginRequired) {
		err = required(ErrMissingToken, "for %q, and %w", s.resourceServer, errNoScope)
	}
	return token, err
}
