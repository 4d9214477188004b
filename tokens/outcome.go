package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// outcome is what an attempt to get a usable token came to; never changed once published. It is shared
// by the callers that waited for it, and its token is given out of memory for a while. Its times are wall
// clock readings in nanoseconds, because the monotonic clock stops while a machine sleeps.
type outcome struct {
	token    Token
	err      error
	rejected string // the access token that the attempt was to replace, if any
	epoch    int64  // of the attempt's beginning: Forget makes it invalid
	from     int64  // it was looked at
	until    int64  // look again
}

func (o *outcome) covers(now time.Time) bool {
	nano := now.UnixNano()
	return nano >= o.from && nano < o.until
}

// recall returns the last outcome, nil if there is none or Forget was called.
func (r *Refreshing) recall() *outcome {
	if last := r.last.Load(); last != nil && last.epoch == r.epoch.Load() {
		return last
	}
	return nil
}

// stillGood returns the token in memory if nothing but reading the store again is due.
func (r *Refreshing) stillGood(rejected string) (Token, bool) {
	last := r.recall()
	if last == nil || last.err != nil || last.token.AccessToken == rejected || r.due(last.token, r.config.Now()) {
		return Token{}, false
	}
	return last.token, true
}

// wait returns what the attempt that runs comes to, or makes one, and waits no longer than ctx. (Package
// singleflight would share it too, but could not end it with the callers until the service is asked.)
func (r *Refreshing) wait(ctx context.Context, rejected string) (_ Token, err error) {
	defer r.prefix(&err)
	before := r.last.Load()
	if !r.turn.TryAcquire(1) {
		if token, good := r.stillGood(rejected); good { // another caller reads the store again
			return token, nil
		}
		if err := r.turn.Acquire(ctx, 1); err != nil {
			return Token{}, err
		}
	}
	if last := r.recall(); last != nil && last != before &&
		(last.err != nil || last.token.AccessToken != rejected || last.rejected == rejected) {
		r.turn.Release(1)
		return last.token, last.err
	}
	own, done := &outcome{err: errors.New("the renewal ended without a response")}, make(chan struct{})
	go func() {
		defer close(done) // also if Refresh ends the goroutine
		defer r.turn.Release(1)
		own = r.renew(ctx, rejected)
	}()
	select {
	case <-done:
		return own.token, own.err
	case <-ctx.Done():
	}
	if token, good := r.stillGood(rejected); good {
		return token, nil
	}
	return Token{}, ctx.Err()
}

// renew makes an attempt and publishes what it came to. The caller has the turn.
func (r *Refreshing) renew(ctx context.Context, rejected string) *outcome {
	a := attempt{Refreshing: r, rejected: rejected, epoch: r.epoch.Load()}
	before := r.recall()
	token, renewed, err := a.run(ctx)
	if err != nil && !a.sent && ctx.Err() != nil {
		return &outcome{err: err} // of the caller that gave up; another one begins anew
	}
	if err != nil && before != nil && token.AccessToken == "" && !errors.Is(err, ErrLoginRequired) {
		token = before.token // the store could not be read
	}
	out := &outcome{token: token, rejected: rejected, epoch: a.epoch}
	now, pause, end := r.config.Now(), recheck, r.endOf(token)
	switch {
	case err != nil && (token.AccessToken == "" || token.AccessToken == rejected || token.AccessToken == r.rejected || ended(token, now)):
		out.token, out.err, pause = Token{}, err, 0
	case err != nil: // the old token, while services still accept it
		pause, end = retryPause, token.Expiry
	case renewed && r.due(token, now):
		pause, end = retryPause, time.Time{} // whatever this machine's clock says
	}
	until := now.Add(pause)
	if !end.IsZero() && end.Before(until) {
		until = end
	}
	out.from, out.until = now.UnixNano(), until.UnixNano()
	r.last.Store(out)
	changed := renewed || r.untold || before != nil && before.err == nil && before.token.AccessToken != token.AccessToken
	if r.config.OnChange == nil || out.err != nil || !changed {
		return out
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalTimeout)
	defer cancel()
	err = r.config.OnChange(ctx, token)
	if r.untold = err != nil; r.untold { // callers get its error, and the next one reads the store again
		out = &outcome{err: fmt.Errorf("it is stored, but OnChange failed: %w", err), epoch: a.epoch}
		r.last.Store(out)
	}
	return out
}
