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

// errGone marks that the store holds no token any more: it was removed on purpose.
var errGone = errors.New("nothing is stored")

// response is what Refresh or Grant returned.
type response struct {
	set      Set
	replaces Token // what was stored then
	granted  bool  // a login of its own, with nothing from before to carry on
}

func (a response) empty() bool { return len(a.set.list()) == 0 }

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
// After an error stored is the token that could not be replaced.
func (r *Refreshing) renew(ctx context.Context, f *flight) (stored, token Token, renewed bool, err error) {
	const attempts = 2 // the second with what a process that knows no lock has stored meanwhile
	for attempt := 1; ; attempt++ {
		set, err := r.config.Store.Load(ctx, r.config.Key)
		if err != nil {
			return Token{}, Token{}, false, r.failed("read the store", err)
		}
		stored, usable, err := r.look(set, f.rejected)
		if usable || err != nil {
			return stored, stored, false, err
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

// look returns the stored token, whether it can be given out as it is, and if not,
// why it cannot be renewed either.
func (r *Refreshing) look(set Set, rejected string) (stored Token, usable bool, err error) {
	if err := r.checkIdentity(set, r.config.IdentityID); err != nil {
		return Token{}, false, err
	}
	stored, found := set.ByResourceServer(r.config.ResourceServer)
	// A client's own tokens name it, and have no refresh token.
	own := r.config.IdentityID == "" || r.config.Grant == nil || stored.IdentityID == r.config.IdentityID
	if !own && stored.RefreshToken != "" {
		return Token{}, false, r.mismatch(stored, r.config.IdentityID)
	}
	known, _ := r.learned()
	if found && own && stored.AccessToken != rejected && stored.AccessToken != known.accessToken && !r.due(stored, r.config.Now()) {
		return stored, true, nil
	}
	switch {
	case r.config.Grant != nil:
		return stored, false, nil
	case !found:
		return stored, false, fmt.Errorf("tokens: token for %q: %w for client %s in %s, namespace %q: %w",
			r.config.ResourceServer, errGone, r.config.Key.ClientID, r.config.Key.Environment, r.config.Key.Namespace, ErrLoginRequired)
	case known.err != nil && known.refreshToken == stored.RefreshToken &&
		(stored.RefreshToken != "" || known.accessToken == stored.AccessToken):
		if rejected == stored.AccessToken {
			r.learn(func(s *state) { s.refused.accessToken = rejected })
		}
		return stored, false, known.err
	case r.renewable(stored):
		return stored, false, nil
	case rejected == stored.AccessToken:
		err := fmt.Errorf("tokens: token for %q: it was rejected and cannot be refreshed: %w", r.config.ResourceServer, ErrLoginRequired)
		r.learn(func(s *state) { s.refused = refusal{accessToken: rejected, err: err} })
		return stored, false, err
	}
	return stored, false, fmt.Errorf("tokens: token for %q: it has expired (at %s; this machine's clock says %s) and cannot be refreshed: %w",
		r.config.ResourceServer, stored.Expiry.Format(time.RFC3339), r.config.Now().UTC().Format(time.RFC3339), ErrLoginRequired)
}

// checkIdentity refuses a set with tokens of another identity. A token that names none may be anyone's.
func (r *Refreshing) checkIdentity(set Set, identity string) error {
	for _, token := range set.list() {
		if identity != "" && token.IdentityID != "" && token.IdentityID != identity {
			return r.mismatch(token, identity)
		}
	}
	return nil
}

func (r *Refreshing) mismatch(token Token, identity string) error {
	return r.failed("check whose it is", fmt.Errorf("%w: %w: that for %q is of identity %q, not %q; log out first, or use another namespace",
		ErrLoginRequired, ErrIdentityMismatch, token.ResourceServer, token.IdentityID, identity))
}

// learned returns what renewals have left to the next one.
func (s *state) learned() (refusal, response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused, s.unsaved
}

func (s *state) learn(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// refuse remembers a refresh token that the service will never take again.
func (r *Refreshing) refuse(token Token, rejected string, cause error) error {
	err := fmt.Errorf("tokens: token for %q: the service refused the refresh token: %w: %w", r.config.ResourceServer, ErrLoginRequired, cause)
	known := refusal{refreshToken: token.RefreshToken, err: err}
	if token.AccessToken == rejected {
		known.accessToken = rejected
	}
	r.learn(func(s *state) { s.refused = known })
	return err
}

func (r *Refreshing) failed(what string, err error) error {
	return fmt.Errorf("tokens: token for %q: %s: %w", r.config.ResourceServer, what, err)
}

// update renews inside the store's exclusive update. refused is the token whose
// refresh token the service does not take any more.
func (r *Refreshing) update(ctx context.Context, f *flight) (token Token, renewed bool, refused *Token, err error) {
	var got response
	var problem error // beside what was got
	next, err := r.config.Store.Update(ctx, r.config.Key, func(current Set) (Set, error) {
		stored, usable, err := r.look(current, f.rejected)
		if usable || err != nil {
			return current, err
		}
		if _, got = r.learned(); got.empty() || got.replaces != stored {
			if err := r.send(ctx, f); err != nil {
				return Set{}, err
			}
			if got, refused, problem = r.obtain(ctx, stored); got.empty() {
				return Set{}, problem
			}
		}
		return got.over(current), nil
	})
	if !got.empty() {
		r.learn(func(s *state) {
			if s.unsaved = (response{}); err != nil {
				s.unsaved = got
			}
		})
	}
	if err != nil {
		return Token{}, false, refused, r.failed("renew", err)
	}
	_, answered := got.set.ByResourceServer(r.config.ResourceServer)
	token, found := next.ByResourceServer(r.config.ResourceServer)
	if problem != nil && (!answered || token.AccessToken == got.replaces.AccessToken) { // at most a refresh token is new
		return Token{}, false, nil, r.failed("renew", problem)
	}
	if !found {
		return Token{}, false, nil, r.failed("renew", errGone)
	}
	return token, answered, nil, nil
}

// obtain asks the service.
func (r *Refreshing) obtain(ctx context.Context, stored Token) (got response, refused *Token, err error) {
	ctx, cancel := timeout.With(ctx, r.config.Timeout, r.config.Now)
	defer cancel()
	got.replaces = stored
	known, _ := r.learned()
	refresh := r.config.Refresh != nil && stored.RefreshToken != "" && known.refreshToken != stored.RefreshToken
	if refresh {
		got.set, err = r.config.Refresh(ctx, stored)
		if errors.Is(err, apierror.ErrInvalidGrant) {
			refused = &stored
		}
	}
	if r.config.Grant != nil && (!refresh || refused != nil) {
		if refused != nil {
			_ = r.refuse(stored, "", err)
		}
		got.set, err = r.config.Grant(ctx)
		got.granted, refused = true, nil
	}
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no response within %s: %w: %w", r.config.Timeout, context.DeadlineExceeded, err)
	}
	if mismatch := r.checkIdentity(got.set, cmp.Or(r.config.IdentityID, stored.IdentityID)); mismatch != nil {
		return response{}, nil, mismatch
	}
	if _, found := got.set.ByResourceServer(r.config.ResourceServer); !found && err == nil {
		err = errors.New("the response holds no token for this resource server")
		for _, problem := range got.set.Problems() {
			err = fmt.Errorf("%w; %w", err, problem)
		}
	}
	return got, refused, err
}
