package tokens

import (
	"context"
	"errors"
	"fmt"

	"github.com/globusauth/globusauth/apierror"
)

var (
	// errGone marks that the store holds no token any more: whoever removed it meant it.
	errGone = errors.New("nothing is stored")
	// errAbandoned ends an update for which nobody waits any more.
	errAbandoned = errors.New("nobody waits for it any more")
)

// renew returns a usable token, and whether this call got it from the service.
// After an error stored is the token that could not be replaced.
func (r *Refreshing) renew(ctx context.Context, f *flight) (stored, token Token, renewed bool, err error) {
	const attempts = 2 // the second with what a process that knows no lock has stored meanwhile
	for attempt := 1; ; attempt++ {
		set, err := r.config.Store.Load(ctx, r.config.Key)
		if err != nil {
			return Token{}, Token{}, false, r.failed("read the store", err)
		}
		stored, found := set.ByResourceServer(r.config.ResourceServer)
		if found && r.usable(stored, f.rejected) {
			return stored, stored, false, nil
		}
		if err := r.hopeless(stored, found, f.rejected); err != nil {
			return stored, Token{}, false, err
		}
		token, renewed, refused, err := r.update(ctx, f)
		if err == nil || refused == nil {
			return stored, token, renewed, err
		}
		// Invalid_grant also means that a program without our lock was faster.
		if attempt < attempts && r.replaced(ctx, *refused) {
			continue
		}
		return stored, Token{}, false, r.refuse(*refused, f.rejected, err)
	}
}

// replaced reports whether the store holds another token than the one given.
func (r *Refreshing) replaced(ctx context.Context, token Token) bool {
	set, err := r.config.Store.Load(ctx, r.config.Key)
	if err != nil {
		return false
	}
	stored, found := set.ByResourceServer(r.config.ResourceServer)
	return found && (stored.RefreshToken != token.RefreshToken || stored.AccessToken != token.AccessToken)
}

// hopeless says why a stored token cannot be renewed, before taking any lock.
func (r *Refreshing) hopeless(stored Token, found bool, rejected string) error {
	if r.config.Grant != nil {
		return nil
	}
	if !found {
		return fmt.Errorf("tokens: token for %q: %w for client %s in %s, namespace %q: %w",
			r.config.ResourceServer, errGone, r.config.Key.ClientID, r.config.Key.Environment, r.config.Key.Namespace, ErrLoginRequired)
	}
	known := r.refused.Load()
	switch {
	case known != nil && known.refreshToken == stored.RefreshToken &&
		(stored.RefreshToken != "" || known.accessToken == stored.AccessToken):
		if rejected == stored.AccessToken {
			r.refused.Store(&refusal{refreshToken: stored.RefreshToken, accessToken: rejected, err: known.err})
		}
		return known.err
	case r.renewable(stored):
		return nil
	case rejected == stored.AccessToken:
		err := fmt.Errorf("tokens: token for %q: it was rejected and cannot be refreshed: %w", r.config.ResourceServer, ErrLoginRequired)
		r.refused.Store(&refusal{accessToken: rejected, err: err})
		return err
	}
	return fmt.Errorf("tokens: token for %q: it has expired and cannot be refreshed: %w", r.config.ResourceServer, ErrLoginRequired)
}

// refuse remembers a refresh token that the service will never take again.
func (r *Refreshing) refuse(token Token, rejected string, cause error) error {
	err := fmt.Errorf("tokens: token for %q: the service refused the refresh token: %w: %w", r.config.ResourceServer, ErrLoginRequired, cause)
	known := &refusal{refreshToken: token.RefreshToken, err: err}
	if token.AccessToken == rejected {
		known.accessToken = rejected
	}
	r.refused.Store(known)
	return err
}

func (r *Refreshing) failed(what string, err error) error {
	return fmt.Errorf("tokens: token for %q: %s: %w", r.config.ResourceServer, what, err)
}

// update renews inside the store's exclusive update. refused is the token whose
// refresh token the service does not take any more.
func (r *Refreshing) update(ctx context.Context, f *flight) (token Token, renewed bool, refused *Token, err error) {
	name := r.config.ResourceServer
	var answer Set
	var replaces Token
	next, err := r.config.Store.Update(ctx, r.config.Key, func(current Set) (Set, error) {
		stored, found := current.ByResourceServer(name)
		if found && r.usable(stored, f.rejected) {
			return current, nil
		}
		replaces = stored
		if answer = r.kept(stored); answer.held == nil {
			if err := r.hopeless(stored, found, f.rejected); err != nil {
				return Set{}, err
			}
			if !r.send(f) {
				return Set{}, errAbandoned
			}
			var err error
			if answer, refused, err = r.obtain(ctx, stored); err != nil {
				return Set{}, err
			}
		}
		if found && r.dead(stored.RefreshToken) {
			current = current.forgetRefresh(name) // Merge would carry it on
		}
		return current.Merge(answer), nil
	})
	got := answer.held != nil
	if err != nil {
		if got {
			r.unsaved.Store(&unsaved{replaces: replaces, answer: answer})
		}
		return Token{}, false, refused, r.failed("renew", err)
	}
	if got {
		r.unsaved.Store(nil)
	}
	token, found := next.ByResourceServer(name)
	if !found {
		return Token{}, false, nil, r.failed("renew", errGone)
	}
	return token, got, nil, nil
}

// obtain asks the service.
func (r *Refreshing) obtain(ctx context.Context, stored Token) (answer Set, refused *Token, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	refresh := r.config.Refresh != nil && stored.RefreshToken != "" && !r.dead(stored.RefreshToken)
	if refresh {
		answer, err = r.config.Refresh(ctx, stored)
		if errors.Is(err, apierror.ErrInvalidGrant) {
			refused = &stored
		}
	}
	if r.config.Grant != nil && (!refresh || refused != nil) {
		if refused != nil {
			_ = r.refuse(stored, "", err)
		}
		answer, err = r.config.Grant(ctx)
		refused = nil
	}
	if err != nil {
		return Set{}, refused, err
	}
	if _, found := answer.ByResourceServer(r.config.ResourceServer); !found {
		return Set{}, nil, errors.New("the answer holds no token for this resource server")
	}
	return answer, nil, nil
}

// dead reports a refresh token that the service has refused for good.
func (r *Refreshing) dead(refreshToken string) bool {
	known := r.refused.Load()
	return refreshToken != "" && known != nil && known.refreshToken == refreshToken
}

// kept returns an earlier answer that could not be stored, if it replaces what
// is stored now.
func (r *Refreshing) kept(stored Token) Set {
	kept := r.unsaved.Load()
	if kept == nil || kept.replaces != stored {
		return Set{}
	}
	return kept.answer
}
