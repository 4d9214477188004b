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
	problem  error  // beside the set
	replaces string // the access token that was stored then
	epoch    int64  // of the attempt: Forget makes it invalid
}

// attempt is one attempt to get a usable token.
type attempt struct {
	*Refreshing

	rejected string // the access token to replace, if any
	epoch    int64  // when it began
	sent     bool   // the service has been asked
}

// run returns a usable token, and whether this attempt got it from the service. It ends with ctx until
// the service is asked. With an error it returns the stored token, which could not be replaced.
func (a *attempt) run(ctx context.Context) (token Token, renewed bool, err error) {
	for again := false; ; again = true {
		set, err := a.config.Store.Load(ctx, a.config.Key)
		if err != nil {
			return Token{}, false, err
		}
		stored, usable, err := a.look(set)
		if usable || err != nil {
			return stored, false, err
		}
		token, renewed, err := a.update(ctx)
		switch {
		case err == nil:
			return token, renewed, nil
		case again || a.config.Grant != nil || !errors.Is(err, apierror.ErrInvalidGrant):
			return stored, false, err
		}
		// Invalid_grant also means that a program without our lock was faster. Then another token is stored.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), renewalTimeout)
		defer cancel()
	}
}

// look returns the stored token, whether it can be given out as it is, and if not,
// why it cannot be renewed either.
func (a *attempt) look(set Set) (stored Token, usable bool, err error) {
	if err := a.checkIdentity(set, a.config.IdentityID); err != nil {
		return Token{}, false, err
	}
	stored, found := set.ByResourceServer(a.config.ResourceServer)
	// A client's own tokens name it.
	own := a.config.Grant == nil || a.config.IdentityID == "" || stored.IdentityID == a.config.IdentityID
	bad := stored.AccessToken == a.rejected || stored.AccessToken == a.state.rejected
	now := a.config.Now()
	switch {
	case found && own && !bad && !a.due(stored, now):
		return stored, true, nil
	case a.config.Grant != nil:
		return stored, false, nil
	case !found:
		return Token{}, false, fmt.Errorf("nothing is stored for client %s in %s, namespace %q: %w",
			a.config.Key.ClientID, a.config.Key.Environment, a.config.Key.Namespace, ErrLoginRequired)
	case stored.RefreshToken != "" && stored.RefreshToken != a.refused.refreshToken:
		return stored, false, nil
	case stored.RefreshToken != "":
		err = a.refused.err
	case bad:
		err = fmt.Errorf("it was rejected and cannot be refreshed: %w", ErrLoginRequired)
	default:
		err = fmt.Errorf("it has expired (at %s; this machine's clock says %s) and cannot be refreshed: %w",
			stored.Expiry.Format(time.RFC3339), now.UTC().Format(time.RFC3339), ErrLoginRequired)
	}
	if stored.AccessToken == a.rejected {
		a.state.rejected = a.rejected
	}
	return stored, false, err
}

// checkIdentity refuses a set with tokens of another identity. A token that names none may be anyone's,
// but a client's own have no refresh token.
func (r *Refreshing) checkIdentity(set Set, identity string) error {
	for _, token := range set.list() {
		if identity == "" || token.IdentityID == identity {
			continue
		}
		if token.IdentityID != "" || r.config.Grant != nil && token.RefreshToken != "" {
			return fmt.Errorf("%w: %w: that for %q is of identity %q, not %q",
				ErrLoginRequired, ErrIdentityMismatch, token.ResourceServer, token.IdentityID, identity)
		}
	}
	return nil
}

// update renews inside the store's exclusive update.
func (a *attempt) update(ctx context.Context) (token Token, renewed bool, err error) {
	var got response
	next, err := a.config.Store.Update(ctx, a.config.Key, func(current Set) (Set, error) {
		stored, usable, err := a.look(current)
		if usable || err != nil {
			return current, err
		}
		if got = a.unsaved; len(got.set.list()) == 0 || got.replaces != stored.AccessToken || got.epoch != a.epoch {
			if err := ctx.Err(); err != nil {
				return Set{}, err
			}
			a.sent = true
			if got = a.ask(context.WithoutCancel(ctx), stored); len(got.set.list()) == 0 {
				return Set{}, got.problem
			}
		}
		if a.config.Grant != nil { // a login of its own carries nothing on from before
			for _, token := range got.set.list() {
				current = current.Without(token.ResourceServer)
			}
		}
		return current.Merge(got.set), nil
	})
	if err != nil {
		if len(got.set.list()) > 0 {
			a.unsaved = got
		}
		return Token{}, false, err
	}
	a.unsaved = response{}
	token, found := next.ByResourceServer(a.config.ResourceServer)
	if got.problem != nil && (!found || token.AccessToken == got.replaces) { // at most a refresh token is new
		return Token{}, false, got.problem
	}
	_, renewed = got.set.ByResourceServer(a.config.ResourceServer)
	return token, renewed, nil
}

// ask asks the service.
func (a *attempt) ask(ctx context.Context, stored Token) response {
	ctx, cancel := timeout.With(ctx, renewalTimeout, a.config.Now)
	defer cancel()
	var set Set
	var err error
	if a.config.Grant != nil {
		set, err = a.config.Grant(ctx)
	} else if set, err = a.config.Refresh(ctx, stored); errors.Is(err, apierror.ErrInvalidGrant) {
		err = fmt.Errorf("the service refused the refresh token: %w: %w", ErrLoginRequired, err)
		a.refused = refusal{stored.RefreshToken, err}
	}
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = fmt.Errorf("no response within %s: %w: %w", renewalTimeout, context.DeadlineExceeded, err)
	}
	if mismatch := a.checkIdentity(set, cmp.Or(a.config.IdentityID, stored.IdentityID)); mismatch != nil {
		return response{problem: mismatch}
	}
	if _, found := set.ByResourceServer(a.config.ResourceServer); !found && err == nil {
		err = errors.Join(append([]error{errors.New("the response holds no token for this resource server")}, set.Problems()...)...)
	}
	return response{set: set, problem: err, replaces: stored.AccessToken, epoch: a.epoch}
}
