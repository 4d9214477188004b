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

	core           *core
	resourceServer string
	checked        atomic.Int64 // one more than the last epoch that was checked
}

var (
	_ tokens.Source  = (*source)(nil)
	_ tokens.Renewer = (*source)(nil)
)

// Token returns a token that is not due for renewal.
func (s *source) Token(ctx context.Context) (token tokens.Token, err error) {
	// Named results save a copy of the token.
	if s.checked.Load() == s.core.epoch.Load()+1 {
		if token, err = s.Refreshing.Token(ctx); err == nil {
			return token, nil
		}
		if !errors.Is(err, tokens.ErrLoginRequired) {
			return tokens.Token{}, err
		}
	}
	return s.prepare(ctx)
}

// Renew returns a token other than one that was rejected.
func (s *source) Renew(ctx context.Context, rejected tokens.Token) (tokens.Token, error) {
	token, err := s.Refreshing.Renew(ctx, rejected)
	if err == nil || !errors.Is(err, tokens.ErrLoginRequired) {
		return token, err
	}
	return s.prepare(ctx)
}

// prepare gives out the first token after a change, or after the last way to
// renew it has ended. It logs in at most once.
func (s *source) prepare(ctx context.Context) (tokens.Token, error) {
	logins := s.core.logins.Load()
	epoch := s.core.epoch.Load()
	mayLogIn := s.core.alone || !s.core.config.NoLogin
	reason := s.core.loginRequired(ctx)
	switch {
	case !s.needed(reason):
	case errors.Is(reason, ErrIdentityMismatch):
		return tokens.Token{}, reason // no login mends that
	case !mayLogIn && errors.Is(reason, ErrMissingRefreshToken): // it works until it ends
	case !mayLogIn:
		return tokens.Token{}, reason
	default:
		if err := s.core.login(ctx, LoginOptions{}, always); err != nil {
			return tokens.Token{}, err
		}
		mayLogIn = false
		epoch = s.core.epoch.Load()
		// A login without refresh tokens is one that works.
		if reason = s.core.loginRequired(ctx); s.needed(reason) && !errors.Is(reason, ErrMissingRefreshToken) {
			return tokens.Token{}, fmt.Errorf("after a login: %w", reason)
		}
	}
	// Other errors of the check do not matter here. That the store cannot be read, the source
	// says itself. That nobody knows whether a dependency has been consented to must not
	// stop who has a good token: the service will say.
	token, err := s.Refreshing.Token(ctx)
	if errors.Is(err, tokens.ErrLoginRequired) {
		if token, err = s.refused(ctx, err, mayLogIn, logins); err == nil {
			epoch = s.core.epoch.Load()
		}
	}
	if err != nil {
		return tokens.Token{}, err
	}
	s.checked.Store(epoch + 1)
	return token, nil
}

// needed reports whether a login has to take place first.
func (s *source) needed(reason error) bool {
	if s.core.alone && errors.Is(reason, ErrMissingToken) {
		return false // the source gets it, inside the store's update
	}
	return errors.Is(reason, tokens.ErrLoginRequired)
}

// refused is for a token that looks good and cannot be had: it is not among those
// of a login, or the service does not renew it any more.
func (s *source) refused(ctx context.Context, cause error, mayLogIn bool, logins int64) (tokens.Token, error) {
	stored, err := s.core.store.Load(ctx, s.core.key)
	if err != nil {
		return tokens.Token{}, err
	}
	if _, found := stored.ByResourceServer(s.resourceServer); !found {
		return tokens.Token{}, required(ErrMissingToken, "for %q, and no scope of the app is for it: add one", s.resourceServer)
	}
	if !mayLogIn {
		return tokens.Token{}, cause
	}
	if err := s.core.login(ctx, LoginOptions{Force: true}, logins); err != nil {
		return tokens.Token{}, fmt.Errorf("%w (needed since: %w)", err, cause)
	}
	return s.Refreshing.Token(ctx)
}

// failing is the source of what is no resource server.
type failing struct{ err error }

func (f failing) Token(context.Context) (tokens.Token, error) { return tokens.Token{}, f.err }
