package tokens

import (
	"context"
	"errors"
	"time"
)

// flight is one renewal that any number of callers wait for. (Package singleflight cannot
// drop a call when all its callers have given up.)
type flight struct {
	rejected string // the access token to replace, if any
	done     chan struct{}
	cancel   context.CancelFunc

	// Guarded by Refreshing.mu.
	waiting int
	sent    bool // the service has been asked: must be finished

	// Written before done is closed.
	token Token
	err   error
}

// wait joins or starts a renewal and waits for it as long as ctx allows.
func (r *Refreshing) wait(ctx context.Context, rejected string) (_ Token, err error) {
	defer r.prefix(&err)
	for {
		if err := ctx.Err(); err != nil {
			return Token{}, err
		}
		f, token := r.join(ctx, rejected)
		if f == nil {
			return token, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			if token, good := r.leave(f, rejected); good {
				return token, nil
			}
			return Token{}, ctx.Err()
		}
		if f.err == nil && f.token.AccessToken == rejected && f.rejected != rejected {
			continue // this flight did not know that the token was rejected
		}
		return f.token, f.err
	}
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
		// Values such as trace IDs stay; the end of one caller's context must not end
		// what others wait for.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r.flight = &flight{
			rejected: rejected,
			done:     make(chan struct{}),
			cancel:   cancel,
			err:      errors.New("the renewal ended without a response"),
		}
		r.running[r.flight] = struct{}{}
		go r.run(shared, r.flight)
	}
	r.flight.waiting++
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

// leave drops the renewal when no caller waits for it any more and it has not yet
// reached the service. It returns the token in memory if that is still good.
func (r *Refreshing) leave(f *flight, rejected string) (Token, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.waiting--
	if f.waiting == 0 && !f.sent {
		f.cancel()
		r.detach(f)
	}
	return r.stillGood(rejected)
}

// send marks the point of no return, unless no caller waits any more.
func (r *Refreshing) send(ctx context.Context, f *flight) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.sent = ctx.Err() == nil
	return ctx.Err()
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

func (r *Refreshing) run(ctx context.Context, f *flight) {
	defer f.cancel()
	defer func() { // also if Refresh ends the goroutine
		r.mu.Lock()
		defer r.mu.Unlock()
		r.detach(f)
		delete(r.running, f)
		close(f.done)
	}()
	token, renewed, err := r.renew(ctx, f)
	if r.settle(f, token, renewed, err) && r.config.OnChange != nil {
		r.config.OnChange(f.token)
	}
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
	case !r.detach(f): // memory belongs to later renewals
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
	return renewed || before != nil && before.token.AccessToken != token.AccessToken
}
