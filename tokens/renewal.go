package tokens

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/globusauth/globusauth/apierror"
)

// flight is one renewal that any number of callers wait for.
type flight struct {
	rejected   string // the access token to get rid of, if any
	generation uint64
	done       chan struct{}
	cancel     context.CancelFunc

	// Guarded by Refreshing.mu.
	waiting   int
	sent      bool // the service has been asked: must be finished
	abandoned bool

	// Written before done is closed.
	token Token
	err   error
}

// wait joins or starts a renewal and waits for it as long as ctx allows.
func (r *Refreshing) wait(ctx context.Context, rejected string) (Token, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Token{}, r.gaveUp(err)
		}
		f, token := r.join(ctx, rejected)
		if f == nil {
			return token, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			r.leave(f)
			return Token{}, r.gaveUp(ctx.Err())
		}
		if f.err == nil && rejected != "" && f.token.AccessToken == rejected && f.rejected != rejected {
			continue // the flight we joined did not know that this token is no good
		}
		return f.token, f.err
	}
}

func (r *Refreshing) gaveUp(err error) error {
	return fmt.Errorf("tokens: wait for a token for %q: %w", r.config.ResourceServer, err)
}

// join returns the running renewal or a new one; no renewal and a token if
// there is one by now.
func (r *Refreshing) join(ctx context.Context, rejected string) (*flight, Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if held := r.current.Load(); held != nil && held.token.AccessToken != rejected {
		if now := r.config.Now().UnixNano(); now >= held.from && now < held.until {
			return nil, held.token
		}
	}
	if r.flight != nil {
		r.flight.waiting++
		return r.flight, Token{}
	}
	// Values such as trace IDs stay; the end of one caller's context must not end
	// what others wait for.
	shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{
		rejected:   rejected,
		generation: r.generation,
		done:       make(chan struct{}),
		cancel:     cancel,
		waiting:    1,
		err:        errors.New("tokens: the renewal ended without an answer"),
	}
	r.flight = f
	go r.run(shared, f)
	return f, Token{}
}

// leave drops the renewal when nobody waits for it any more and it has not yet
// reached the service.
func (r *Refreshing) leave(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.waiting--
	if f.waiting > 0 || f.sent {
		return
	}
	f.abandoned = true
	f.cancel()
	if r.flight == f {
		r.flight = nil
	}
}

// send marks the point of no return. It reports false if nobody waits any more.
func (r *Refreshing) send(f *flight) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.sent = !f.abandoned
	return f.sent
}

func (r *Refreshing) run(ctx context.Context, f *flight) {
	defer f.cancel()
	defer close(f.done) // also if Refresh ends the goroutine
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.flight == f {
			r.flight = nil
		}
	}()
	previous := r.current.Load()
	token, renewed, err := r.renew(ctx, f)
	if err != nil {
		f.token, f.err = r.fallBack(f, err)
		return
	}
	r.publish(f, token)
	f.token, f.err = token, nil
	if renewed || (previous != nil && previous.token.AccessToken != token.AccessToken) {
		r.changed(f, token)
	}
}

// changed tells the owner of the source. The renewal counts as over by then, so
// that OnChange may use the source.
func (r *Refreshing) changed(f *flight, token Token) {
	if r.config.OnChange == nil {
		return
	}
	r.mu.Lock()
	if r.flight == f {
		r.flight = nil
	}
	r.mu.Unlock()
	r.config.OnChange(token)
}

// publish makes the token the one that is given out of memory.
func (r *Refreshing) publish(f *flight, token Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.generation == f.generation {
		r.current.Store(r.hold(token))
	}
}

// hold says how long a token may be given out before looking again.
func (r *Refreshing) hold(token Token) *snapshot {
	now := r.config.Now()
	held := &snapshot{token: token, from: now.UnixNano(), end: math.MaxInt64}
	held.until = now.Add(r.config.Recheck).UnixNano()
	if token.Expiry.IsZero() {
		return held
	}
	held.end = token.Expiry.UnixNano()
	renew := held.end
	if r.renewable(token) {
		renew = token.RenewAt().UnixNano()
	}
	held.until = min(held.until, renew)
	return held
}

// fallBack decides what those who wait get after a failed renewal: the token
// they have, while it is accepted, or the error.
func (r *Refreshing) fallBack(f *flight, cause error) (Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.current.Load()
	if held == nil {
		return Token{}, cause
	}
	now := r.config.Now()
	good := f.rejected != held.token.AccessToken && now.UnixNano() < held.end && now.UnixNano() >= held.from
	if r.generation != f.generation || !good || errors.Is(cause, errGone) {
		r.current.Store(nil)
		return Token{}, cause
	}
	again := *held
	again.from = now.UnixNano()
	again.until = min(held.end, now.Add(retryPause).UnixNano())
	r.current.Store(&again)
	return held.token, nil
}

// recheck reads the store while the token in memory is still good. One caller
// does it; the others, and all if it fails, go on with what they have.
func (r *Refreshing) recheck(ctx context.Context, held *snapshot) (Token, error) {
	if !r.rechecking.CompareAndSwap(false, true) {
		return held.token, nil
	}
	defer r.rechecking.Store(false)
	set, err := r.config.Store.Load(ctx, r.config.Key)
	stored, found := set.ByResourceServer(r.config.ResourceServer)
	switch {
	case err != nil:
		stored = held.token // cannot look: it is still good
	case !found || (stored.AccessToken != held.token.AccessToken && !r.usable(stored, "")):
		r.mu.Lock()
		r.current.CompareAndSwap(held, nil)
		r.mu.Unlock()
		return r.wait(ctx, "")
	}
	r.mu.Lock()
	swapped := r.current.CompareAndSwap(held, r.hold(stored))
	r.mu.Unlock()
	if swapped && stored.AccessToken != held.token.AccessToken && r.config.OnChange != nil {
		r.config.OnChange(stored)
	}
	return stored, nil
}

// usable reports whether a stored token can be given out as it is.
func (r *Refreshing) usable(token Token, rejected string) bool {
	if token.AccessToken == "" || token.AccessToken == rejected {
		return false
	}
	r.mu.Lock()
	refused := r.refused
	r.mu.Unlock()
	if refused != nil && refused.accessToken == token.AccessToken {
		return false
	}
	return !r.due(token, r.config.Now().UnixNano())
}

var (
	// errGone marks that the store holds no token any more: whoever removed it meant it.
	errGone = errors.New("nothing is stored")
	// errAbandoned ends an update for which nobody waits any more.
	errAbandoned = errors.New("nobody waits for it any more")
)

// renew returns a usable token, and whether this call got it from the service.
func (r *Refreshing) renew(ctx context.Context, f *flight) (Token, bool, error) {
	const attempts = 2 // the second with what a process that knows no lock has stored meanwhile
	for attempt := 1; ; attempt++ {
		set, err := r.config.Store.Load(ctx, r.config.Key)
		if err != nil {
			return Token{}, false, r.failed("read the store", err)
		}
		stored, found := set.ByResourceServer(r.config.ResourceServer)
		if found && r.usable(stored, f.rejected) {
			return stored, false, nil
		}
		if err := r.hopeless(stored, found, f.rejected); err != nil {
			return Token{}, false, err
		}
		token, renewed, refused, err := r.update(ctx, f)
		if err == nil || refused == nil {
			return token, renewed, err
		}
		// Invalid_grant also means that a program without our lock was faster.
		if attempt < attempts && r.replaced(ctx, *refused) {
			continue
		}
		return Token{}, false, r.refuse(*refused, f.rejected, err)
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
	switch {
	case !found:
		return fmt.Errorf("tokens: token for %q: %w for client %s in %s, namespace %q: %w",
			r.config.ResourceServer, errGone, r.config.Key.ClientID, r.config.Key.Environment, r.config.Key.Namespace, ErrLoginRequired)
	case !r.renewable(stored):
		state := "has expired"
		if stored.AccessToken == rejected {
			state = "was rejected"
		}
		return fmt.Errorf("tokens: token for %q: it %s and cannot be refreshed: %w", r.config.ResourceServer, state, ErrLoginRequired)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused == nil || r.refused.refreshToken != stored.RefreshToken {
		return nil
	}
	if rejected == stored.AccessToken {
		r.refused = &refusal{refreshToken: stored.RefreshToken, accessToken: rejected, err: r.refused.err}
	}
	return r.refused.err
}

// refuse remembers a refresh token that the service will never take again.
func (r *Refreshing) refuse(token Token, rejected string, cause error) error {
	err := fmt.Errorf("tokens: token for %q: the service refused the refresh token: %w: %w", r.config.ResourceServer, ErrLoginRequired, cause)
	remembered := &refusal{refreshToken: token.RefreshToken, err: err}
	if token.AccessToken == rejected {
		remembered.accessToken = rejected
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = remembered
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
		return current.Merge(answer), nil
	})
	got := answer.held != nil
	if err != nil {
		if got {
			r.keep(&unsaved{replaces: replaces, answer: answer})
		}
		return Token{}, false, refused, r.failed("renew", err)
	}
	if got {
		r.keep(nil)
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
	refreshable := r.config.Refresh != nil && stored.RefreshToken != ""
	if refreshable {
		answer, err = r.config.Refresh(ctx, stored)
		if errors.Is(err, apierror.ErrInvalidGrant) {
			refused = &stored
		}
	}
	if !refreshable || (refused != nil && r.config.Grant != nil) {
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

// kept returns an earlier answer that could not be stored, if it replaces what
// is stored now.
func (r *Refreshing) kept(stored Token) Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsaved == nil || r.unsaved.replaces != stored {
		return Set{}
	}
	return r.unsaved.answer
}

func (r *Refreshing) keep(answer *unsaved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsaved = answer
}
