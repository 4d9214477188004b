package tokens

import (
	"context"
	"errors"
	"slices"
	"time"
)

// flight is one renewal that any number of callers wait for. (Package singleflight cannot
// drop a call when all its callers have given up.)
type flight struct {
	rejected string // the access token to get rid of, if any
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
func (r *Refreshing) wait(ctx context.Context, rejected string) (Token, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Token{}, r.failed("wait for it", err)
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
			return Token{}, r.failed("wait for it", ctx.Err())
		}
		if f.err == nil && rejected != "" && f.token.AccessToken == rejected && f.rejected != rejected {
			continue // the flight we joined did not know that this token is no good
		}
		return f.token, f.err
	}
}

// join returns the running renewal or a new one; no renewal and a token if
// there is one by now, or if one that is still good is only being looked at again.
func (r *Refreshing) join(ctx context.Context, rejected string) (*flight, Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if held := r.held.Load(); held != nil && held.token.AccessToken != rejected && held.covers(r.config.Now().UnixNano()) {
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
			err:      errors.New("tokens: the renewal ended without a response"),
		}
		r.running[r.flight] = struct{}{}
		go r.run(shared, r.flight)
	}
	r.flight.waiting++
	return r.flight, Token{}
}

// stillGood returns the token in memory if all that is open is what the store says.
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
func (s *state) send(ctx context.Context, f *flight) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.sent = ctx.Err() == nil
	return ctx.Err()
}

// detach makes the next caller start a renewal of its own.
func (s *state) detach(f *flight) {
	if s.flight == f {
		s.flight = nil
	}
}

func (s *state) end(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detach(f)
	delete(s.running, f)
	close(f.done)
}

func (s *state) anyRunning() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.running {
		return f
	}
	return nil
}

func (r *Refreshing) run(ctx context.Context, f *flight) {
	defer f.cancel()
	defer r.end(f) // also if Refresh ends the goroutine
	stored, token, renewed, err := r.renew(ctx, f)
	if r.settle(f, stored, token, renewed, err) && r.config.OnChange != nil {
		r.config.OnChange(f.token)
	}
}

// settle decides what the callers of a renewal get, and what is given out of memory from now
// on. It reports whether the token is another. The renewal counts as over
// by then, so that OnChange may use the source.
func (r *Refreshing) settle(f *flight, stored, token Token, renewed bool, err error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	current := r.flight == f // else memory belongs to those who came later
	r.detach(f)
	now, held := r.config.Now(), r.held.Load()
	if err == nil {
		f.token, f.err = token, nil
		next := hold(token, now, r.config.Recheck, r.endOf(token))
		if renewed && !next.covers(next.from) {
			next = hold(token, now, retryPause, time.Time{}) // whatever this machine's clock says
		}
		if current {
			r.held.Store(next)
		}
		return renewed || (current && held != nil && held.token.AccessToken != token.AccessToken)
	}
	f.err = err
	if !current {
		return false
	}
	// The old token, while services still accept it.
	if held != nil && stored.AccessToken == "" && !errors.Is(err, errGone) && !errors.Is(err, ErrIdentityMismatch) {
		stored = held.token // the store could not be read
	}
	ended := !stored.Expiry.IsZero() && !now.Before(stored.Expiry)
	if slices.Contains([]string{"", f.rejected, r.refused.accessToken}, stored.AccessToken) || ended {
		r.held.Store(nil)
		return false
	}
	f.token, f.err = stored, nil
	r.held.Store(hold(stored, now, retryPause, stored.Expiry))
	return false
}
