package tokens

import (
	"context"
	"errors"
	"fmt"
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
	if f := r.flight.Load(); f != nil {
		f.waiting++
		return f, Token{}
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
	r.flight.Store(f)
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
	r.flight.CompareAndSwap(f, nil)
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
	defer r.over(f)
	previous := r.current.Load()
	stored, token, renewed, err := r.renew(ctx, f)
	if err != nil {
		f.token, f.err = r.fallBack(f, stored, err)
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
	r.over(f)
	r.config.OnChange(token)
}

// over makes the next caller start a renewal of its own.
func (r *Refreshing) over(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flight.CompareAndSwap(f, nil)
}

// publish makes the token the one that is given out of memory.
func (r *Refreshing) publish(f *flight, token Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.generation == f.generation {
		r.current.Store(r.hold(token))
	}
}

// hold says how long a token may be given out before looking again. Times are
// wall clock readings, because the monotonic clock stops while a machine sleeps.
func (r *Refreshing) hold(token Token) *snapshot {
	now := r.config.Now()
	held := &snapshot{token: token, from: now.UnixNano(), until: now.Add(r.config.Recheck).UnixNano()}
	switch {
	case token.Expiry.IsZero():
	case r.renewable(token):
		held.until = min(held.until, r.renewAt(token).UnixNano())
	default:
		held.until = min(held.until, token.Expiry.UnixNano())
	}
	return held
}

// fallBack decides what those who wait get after a failed renewal: the stored
// token, while services still accept it, or the error.
func (r *Refreshing) fallBack(f *flight, stored Token, cause error) (Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.abandoned || r.generation != f.generation {
		return Token{}, cause
	}
	held := r.current.Load()
	if stored.AccessToken == "" && held != nil && !errors.Is(cause, errGone) {
		stored = held.token // the store could not be read
	}
	rejected := stored.AccessToken == f.rejected || r.wasRejected(stored)
	now := r.config.Now()
	if stored.AccessToken == "" || rejected || !now.Before(stored.Expiry) {
		r.current.Store(nil)
		return Token{}, cause
	}
	again := r.hold(stored)
	again.until = min(stored.Expiry.UnixNano(), now.Add(retryPause).UnixNano())
	r.current.Store(again)
	return stored, nil
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
	return !r.wasRejected(token) && !r.due(token, r.config.Now().UnixNano())
}

// wasRejected reports a token that a service has rejected and that could not be renewed.
func (r *Refreshing) wasRejected(token Token) bool {
	known := r.refused.Load()
	return known != nil && known.accessToken == token.AccessToken
}
