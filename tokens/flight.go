package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flight is one renewal that any number of callers wait for. The context of the caller that
// began it can end it until the service is asked; then it runs to its end, whether or not a
// caller waits. (Package singleflight has no such moment.)
type flight struct {
	rejected string      // the access token to replace, if any
	keep     func() bool // makes it independent of that caller; false if that is too late
	done     chan struct{}

	// Written before done is closed.
	sent      bool // the service has been asked
	abandoned bool // by the caller that began it, before that
	token     Token
	err       error
}

// wait joins or starts a renewal and waits for it as long as ctx allows.
func (r *Refreshing) wait(ctx context.Context, rejected string) (_ Token, err error) {
	defer r.prefix(&err)
	for ctx.Err() == nil {
		f, token := r.join(ctx, rejected)
		if f == nil {
			return token, nil
		}
		select {
		case <-f.done:
			unaware := f.err == nil && f.token.AccessToken == rejected && f.rejected != rejected
			if !f.abandoned && !unaware {
				return f.token, f.err
			}
		case <-ctx.Done():
		}
	}
	if token, good := r.stillGood(rejected); good {
		return token, nil
	}
	return Token{}, ctx.Err()
}

// join returns the running renewal or a new one. It returns a token instead if memory holds one by
// now, or one that is still good while the store is being read again.
func (r *Refreshing) join(ctx context.Context, rejected string) (*flight, Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if held := r.held.Load(); held != nil && held.token.AccessToken != rejected && held.covers(r.config.Now()) {
		return nil, held.token
	}
	if token, good := r.stillGood(rejected); good && r.flight != nil {
		return nil, token
	}
	if r.flight == nil {
		r.flight = &flight{rejected: rejected, done: make(chan struct{}), err: errors.New("the renewal ended without a response")}
		r.running[r.flight] = struct{}{}
		go r.run(ctx, r.flight)
	}
	return r.flight, Token{}
}

// stillGood returns the token in memory if nothing but reading the store again is due.
func (r *Refreshing) stillGood(rejected string) (Token, bool) {
	held := r.held.Load()
	if held == nil || held.token.AccessToken == rejected || r.due(held.token, r.config.Now()) {
		return Token{}, false
	}
	return held.token, true
}

func (r *Refreshing) run(ctx context.Context, f *flight) {
	defer func() { // also if Refresh ends the goroutine
		r.mu.Lock()
		defer r.mu.Unlock()
		r.detach(f)
		delete(r.running, f)
		close(f.done)
	}()
	// Values such as trace IDs stay.
	independent, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	f.keep = context.AfterFunc(ctx, end)
	defer f.keep()
	token, renewed, err := r.renew(independent, f)
	f.abandoned = err != nil && !f.sent && ctx.Err() != nil
	if r.settle(f, token, renewed, err) && r.config.OnChange != nil {
		r.tell(ctx, f)
	}
}

// tell calls OnChange. If it fails, the callers get its error, and the next one reads the store again.
func (r *Refreshing) tell(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalTimeout)
	defer cancel()
	err := r.config.OnChange(ctx, f.token)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.untold = err != nil; err == nil {
		return
	}
	if held := r.held.Load(); held != nil && held.token == f.token {
		r.held.Store(nil)
	}
	f.token, f.err = Token{}, fmt.Errorf("it is stored, but OnChange failed: %w", err)
}

// detach makes the next caller start a renewal of its own. It reports whether callers
// could still join this one.
func (r *Refreshing) detach(f *flight) bool {
	if r.flight != f {
		return false
	}
	r.flight = nil
	return true
}

// settle decides what the callers of a renewal get, and what is given out of memory from now
// on. It reports whether the token is another. Callers do not join the renewal any
// more, so that OnChange may use the source.
func (r *Refreshing) settle(f *flight, token Token, renewed bool, err error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, before := r.config.Now(), r.held.Load()
	next := hold(token, now, recheck, r.endOf(token))
	switch {
	case !r.detach(f) || f.abandoned: // memory belongs to later renewals
		if err == nil {
			f.token = token
		}
		f.err = err
		return renewed && err == nil
	case err != nil:
		if before != nil && token.AccessToken == "" && !errors.Is(err, ErrLoginRequired) {
			token = before.token // the store could not be read
		}
		if token.AccessToken == "" || token.AccessToken == f.rejected || token.AccessToken == r.rejected || ended(token, now) {
			f.err = err
			r.held.Store(nil)
			return false
		}
		// The old token, while services still accept it.
		next = hold(token, now, retryPause, token.Expiry)
	case renewed && !next.covers(now):
		next = hold(token, now, retryPause, time.Time{}) // whatever this machine's clock says
	}
	f.token, f.err = token, nil
	r.held.Store(next)
	return renewed || r.untold || before != nil && before.token.AccessToken != token.AccessToken
}
