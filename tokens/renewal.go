package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/internal/timeout"
)

// response is what Refresh or Grant returned.
type response struct {
	set      Set
	replaces Token // what was stored then
	granted  bool  // a login of its own, with nothing from before to carry on
}

// over puts the response into what is stored.
func (a response) over(current Set) Set {
	if a.granted {
		for _, token := range a.set.list() {
			current = current.Without(token.ResourceServer)
		}
	}
	return current.Merge(a.set)
}

// renew returns a usable token, and whether this call got it from the service.
// With an error it returns the stored token, which could not be replaced.
func (r *Refreshing) renew(ctx context.Context, f *flight) (token Token, renewed bool, err error) {
	const attempts = 2
	for attempt := 1; ; attempt++ {
		set, err := r.config.Store.Load(ctx, r.config.Key)
		if err != nil {
			return Token{}, false, err
		}
		stored, usable, err := r.look(set, f.rejected)
		if usable || err != nil {
			return stored, false, err
		}
		token, renewed, err := r.update(ctx, f)
		switch {
		case err == nil:
			return token, renewed, nil
		case attempt == attempts || r.config.Grant != nil || !errors.Is(err, apierror.ErrInvalidGrant):
			return stored, false, err
		}
		// Invalid_grant also means that a program without our lock was faster. Then another token is stored.
	}
}

// look returns the stored token, whether it can be given out as it is, and if not,
// why it cannot be renewed either.
func (r *Refreshing) look(set Set, rejected string) (stored Token, usable bool, err error) {
	if err := checkIdentity(set, r.config.IdentityID); err != nil {
		return Token{}, false, err
	}
	stored, found := set.ByResourceServer(r.config.ResourceServer)
	// A client's own tokens name it, and have no refresh token.
	own := r.config.IdentityID == "" || r.config.Grant == nil || stored.IdentityID == r.config.IdentityID
	if !own && stored.RefreshToken != "" {
		return Token{}, false, mismatch(stored, r.config.IdentityID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	bad := stored.AccessToken == rejected || stored.AccessToken == r.rejected
	now := r.config.Now()
	switch {
	case found && own && !bad && !r.due(stored, now):
		return stored, true, nil
	case r.config.Grant != nil:
		return stored, false, nil
	case !found:
		return Token{}, false, fmt.Errorf("nothing is stored for client %s in %s, namespace %q: %w",
			r.config.Key.ClientID, r.config.Key.Environment, r.config.Key.Namespace, ErrLoginRequired)
	case r.refused.err != nil && r.refused.refreshToken == stored.RefreshToken:
		err = r.refused.err
	case r.renewable(stored):
		return stored, false, nil
	case bad:
		err = fmt.Errorf("it was rejected and cannot be refreshed: %w", ErrLoginRequired)
	default:
		return stored, false, fmt.Errorf("it has expired (at %s; this machine's clock says %s) and cannot be refreshed: %w",
			stored.Expiry.Format(time.RFC3339), now.UTC().Format(time.RFC3339), ErrLoginRequired)
	}
	if stored.AccessToken == rejected {
		r.rejected = rejected
	}
	return stored, false, err
}

// checkIdentity refuses a set with tokens of another identity. A token that names none may be anyone's.
func checkIdentity(set Set, identity string) error {
	for _, token := range set.list() {
		if identity != "" && token.IdentityID != "" && token.IdentityID != identity {
			return mismatch(token, identity)
		}
	}
	return nil
}

func mismatch(token Token, identity string) error {
	return fmt.Errorf("%w: %w: that for %q is of identity %q, not %q; log out first, or use another namespace",
		ErrLoginRequired, ErrIdentityMismatch, token.ResourceServer, token.IdentityID, identity)
}

// update renews inside the store's exclusive update.
func (r *Refreshing) update(ctx context.Context, f *flight) (token Token, renewed bool, err error) {
	var got response
	var problem error // beside what was got
	next, err := r.config.Store.Update(ctx, r.config.Key, func(current Set) (Set, error) {
		stored, usable, err := r.look(current, f.rejected)
		if usable || err != nil {
			return current, err
		}
		if got = r.notStored(stored); got.set.held == nil {
			if !f.sent && !f.keep() {
				return Set{}, context.Canceled
			}
			f.sent = true
			if got, problem = r.obtain(ctx, stored); got.set.held == nil {
				return Set{}, problem
			}
		}
		return got.over(current), nil
	})
	if got.set.held != nil {
		r.mu.Lock()
		if r.unsaved = (response{}); err != nil {
			r.unsaved = got
		}
		r.mu.Unlock()
	}
	if err != nil {
		return Token{}, false, err
	}
	_, renewed = got.set.ByResourceServer(r.config.ResourceServer)
	token, found := next.ByResourceServer(r.config.ResourceServer)
	switch {
	case problem != nil && (!found || token.AccessToken == got.replaces.AccessToken): // at most a refresh token is new
		return Token{}, false, problem
	case !found:
		return Token{}, false, errNotInResponse
	}
	return token, renewed, nil
}

// notStored returns the response that could not be stored, if it is about the stored token.
func (r *Refreshing) notStored(stored Token) response {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsaved.replaces.AccessToken != stored.AccessToken {
		return response{}
	}
	return r.unsaved
}

var errNotInResponse = errors.New("the response holds no token for this resource server")

// obtain asks the service.
func (r *Refreshing) obtain(ctx context.Context, stored Token) (got response, err error) {
	ctx, cancel := timeout.With(ctx, renewalTimeout, r.config.Now)
	defer cancel()
	got.replaces = stored
	if r.refreshable(stored) {
		got.set, err = r.config.Refresh(ctx, stored)
		if errors.Is(err, apierror.ErrInvalidGrant) {
			err = r.refuse(stored.RefreshToken, err)
		}
	}
	if r.config.Grant != nil && !r.refreshable(stored) {
		got.set, err = r.config.Grant(ctx)
		got.granted = true
	}
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no response within %s: %w: %w", renewalTimeout, context.DeadlineExceeded, err)
	}
	if mismatch := checkIdentity(got.set, cmp.Or(r.config.IdentityID, stored.IdentityID)); mismatch != nil {
		return response{}, mismatch
	}
	if _, found := got.set.ByResourceServer(r.config.ResourceServer); !found && err == nil {
		err = errNotInResponse
		for _, problem := range got.set.Problems() {
			err = fmt.Errorf("%w; %w", err, problem)
		}
	}
	return got, err
}

// refreshable reports whether the token has a refresh token that the service has not refused.
func (r *Refreshing) refreshable(token Token) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.config.Refresh != nil && token.RefreshToken != "" && token.RefreshToken != r.refused.refreshToken
}

// refuse remembers a refresh token that the service will never take again.
func (r *Refreshing) refuse(refreshToken string, cause error) error {
	err := fmt.Errorf("the service refused the refresh token: %w: %w", ErrLoginRequired, cause)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = refusal{refreshToken, err}
	return err
}
