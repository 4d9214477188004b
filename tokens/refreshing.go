package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultRenewalTimeout = 60 * time.Second
	defaultRenewBefore    = 60 * time.Second // as the SDKs of the service
	defaultRecheck        = 30 * time.Second
	// retryPause is how long a token is used on after a renewal that failed, or
	// that gave a token which is due at once, before the next attempt.
	retryPause = 5 * time.Second
)

// RefreshingConfig says which token a [Refreshing] keeps usable, and how.
type RefreshingConfig struct {
	// Store keeps the token. Required. Sources that share a store, in this
	// process or another, share the token.
	Store Store
	// Key says under which key of the store. Required.
	Key Key
	// ResourceServer names the token. Required.
	ResourceServer string

	// Refresh spends current.RefreshToken and returns the service's response. It is
	// never called for a token without one. The context given to it ends after
	// Timeout, not when the caller of Token gives up. Refresh must retry
	// a failed request only if that cannot have used the refresh token; nothing
	// here retries it. What it returns is stored, also beside an error, which is then
	// returned only if the set does not hold the wanted token. nil means that refresh tokens are not used.
	Refresh func(ctx context.Context, current Token) (Set, error)
	// Grant obtains tokens without a refresh token, such as by client
	// credentials. It is called when nothing is stored, or what is stored cannot be
	// refreshed; what it returns is treated as that of Refresh, but replaces what is stored for the
	// same resource servers as a whole. nil means that this takes a new login: [ErrLoginRequired].
	// At least one of Refresh and Grant is required.
	Grant func(ctx context.Context) (Set, error)

	// IdentityID, if set, is the identity that all tokens under Key must belong to: those of another
	// are not given out, not refreshed and not replaced ([ErrIdentityMismatch]). Where
	// Grant obtains the tokens of the client itself it is the client ID, which Grant's tokens must name;
	// stored ones without an identity are replaced then.
	IdentityID string

	// OnChange, if set, is told of every token that takes the place of another:
	// after it was stored, before anyone gets it. Tokens that another process
	// renewed are told too, when they are noticed. It may be called
	// from several goroutines; those who wait for the token wait for it as well.
	OnChange func(Token)

	// Timeout limits one Refresh or Grant. Zero means 60 seconds. A refresh token
	// whose response is cut off may already be used, so be generous. After a time in which the process
	// was suspended at least 5 seconds remain, to read a response that has arrived meanwhile.
	Timeout time.Duration
	// RenewBefore is how long before its end a token that can be renewed is renewed, so that
	// the tokens given out are good for at least that long. Zero means 60 seconds, or
	// the last tenth of a lifetime shorter than ten minutes. No token is renewed in the
	// first tenth of its lifetime, however large RenewBefore is.
	RenewBefore time.Duration
	// Recheck is how long a token is given out of memory before the store is
	// read again, which is how a logout or a new login by another process
	// is noticed while the token is still good. Zero means 30 seconds.
	Recheck time.Duration
	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// Refreshing is a [Source] and [Renewer] that keeps one token of a [Store]
// usable. It is safe for concurrent use, starts no goroutine that outlives a
// renewal, and asks the service at most once at a time however many goroutines ask it:
// the renewal happens inside [Store.Update], so that other processes take part.
// The loser of a race gets the winner's token.
//
// A caller that gives up does not disturb the others. When all have given up, a
// renewal that has not yet asked the service is dropped; one that has is
// finished and stored, since its refresh token is already used: a program calls
// [Refreshing.Wait] before it exits.
//
// Where a renewal fails while the old token is still accepted, the old token is
// given out until it ends, with a new attempt every 5 seconds. A refusal with
// invalid_grant is final: the same refresh token is not sent again, and once the
// token has ended callers get [ErrLoginRequired], until a login stores another.
//
// A token whose expiry is further away than its lifetime was issued while a clock was
// ahead: it is renewed too. One that is due as soon as it was issued, as this
// machine's clock shows it, is given out for 5 seconds, so that a wrong clock makes no loop of renewals.
type Refreshing struct {
	config RefreshingConfig
	// A pointer, because of a field of another struct, where fmt cannot call Format, it prints
	// the fields, but follows no pointers.
	*state
}

// state is all that changes.
type state struct {
	held atomic.Pointer[snapshot] // changed under mu, read by Token without it

	mu      sync.Mutex           // guards what follows
	flight  *flight              // the renewal that callers join, if one runs
	running map[*flight]struct{} // that one, and those that callers have left or Forget has cut off
	refused refusal
	unsaved response // could not be stored; it is stored before the service is asked again
}

// snapshot is a token as held in memory; never changed once published. Its times are wall clock
// readings in nanoseconds, because the monotonic clock stops while a machine sleeps.
type snapshot struct {
	token Token
	from  int64 // it was looked at
	until int64 // look again
}

func (s *snapshot) covers(now int64) bool { return now >= s.from && now < s.until }

// refusal remembers what the service has refused for good.
type refusal struct {
	refreshToken string
	accessToken  string // rejected by a service, and could not be renewed
	err          error
}

var (
	_ Source  = (*Refreshing)(nil)
	_ Renewer = (*Refreshing)(nil)
)

// NewRefreshing checks the configuration. It does not touch the store.
func NewRefreshing(config RefreshingConfig) (*Refreshing, error) {
	fail := func(text string) (*Refreshing, error) {
		return nil, errors.New("tokens: new refreshing source: " + text)
	}
	switch {
	case config.Store == nil:
		return fail("Store is nil")
	case config.ResourceServer == "":
		return fail("ResourceServer is empty")
	case config.Refresh == nil && config.Grant == nil:
		return fail("both Refresh and Grant are nil")
	case min(config.Timeout, config.RenewBefore, config.Recheck) < 0:
		return fail("Timeout, RenewBefore or Recheck is negative")
	}
	var err error
	if config.Key, err = config.Key.Normal(); err != nil {
		return nil, fmt.Errorf("tokens: new refreshing source: %w", err)
	}
	config.Timeout = cmp.Or(config.Timeout, defaultRenewalTimeout)
	config.Recheck = cmp.Or(config.Recheck, defaultRecheck)
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Refreshing{config, &state{running: map[*flight]struct{}{}}}, nil
}

// Token returns a token that is not due for renewal; from memory if it can, from
// the store or the service if it must. It waits no longer than ctx.
//
// Errors: [ErrLoginRequired]; [ErrIdentityMismatch]; what the store, Refresh or Grant returned; the
// context's error.
func (r *Refreshing) Token(ctx context.Context) (Token, error) {
	if held := r.held.Load(); held != nil && held.covers(r.config.Now().UnixNano()) {
		return held.token, nil
	}
	return r.wait(ctx, "")
}

// Renew returns a token other than rejected, which a service has rejected with
// 401: the one that is stored meanwhile, or a new one. It waits no longer than
// ctx. Errors are those of [Refreshing.Token]; there is no falling back to the rejected token.
func (r *Refreshing) Renew(ctx context.Context, rejected Token) (Token, error) {
	return r.wait(ctx, rejected.AccessToken)
}

// Wait returns when no renewal is in flight any more: what the service has
// returned is stored by then. A program calls it before it exits, after it has
// stopped to ask for tokens, since a renewal whose response is not stored loses the login. It
// waits no longer than ctx, and then returns an error that wraps the context's.
func (r *Refreshing) Wait(ctx context.Context) error {
	for f := r.anyRunning(); f != nil; f = r.anyRunning() {
		select {
		case <-f.done:
		case <-ctx.Done():
			return r.failed("wait for a renewal that is in flight", ctx.Err())
		}
	}
	return nil
}

// Forget drops what is held in memory, so that the next call reads the store.
// Call it after a logout or login in the same process.
func (r *Refreshing) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flight, r.unsaved = nil, response{}
	r.held.Store(nil)
}

// Format writes what the source is for, without secrets, whatever the verb.
func (r *Refreshing) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "source of the token for %q of client %s", r.config.ResourceServer, r.config.Key.ClientID)
}

// renewable reports whether there is a way to replace the token without a login.
func (r *Refreshing) renewable(token Token) bool {
	return r.config.Grant != nil || (r.config.Refresh != nil && token.RefreshToken != "")
}

// endOf returns until when the token is used, zero if forever: until it is due if it can be renewed.
func (r *Refreshing) endOf(token Token) time.Time {
	if token.Expiry.IsZero() || !r.renewable(token) {
		return token.Expiry
	}
	margin := r.config.RenewBefore
	switch {
	case margin == 0 && token.Lifetime > 0:
		margin = min(defaultRenewBefore, token.Lifetime/10)
	case margin == 0:
		margin = defaultRenewBefore
	case token.Lifetime > 0:
		margin = min(margin, token.Lifetime-token.Lifetime/10)
	}
	return token.Expiry.Add(-margin)
}

// due reports whether the token should be replaced. One that cannot be replaced
// is used to its end.
func (r *Refreshing) due(token Token, now time.Time) bool {
	end := r.endOf(token)
	switch {
	case end.IsZero():
		return false
	case !now.Before(end):
		return true
	}
	// From the future, with the margin as tolerance: it ends earlier than it says.
	return token.Lifetime > 0 && r.renewable(token) && now.Before(end.Add(-token.Lifetime))
}

// hold says how long a token may be given out before looking again.
func hold(token Token, now time.Time, limit time.Duration, end time.Time) *snapshot {
	until := now.Add(limit)
	if !end.IsZero() && end.Before(until) {
		until = end
	}
	return &snapshot{token: token, from: now.UnixNano(), until: until.UnixNano()}
}
