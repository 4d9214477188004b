package tokens

import (
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
	// retryPause is how long a token that is still good is used on after a failed
	// renewal, before the next attempt.
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

	// Refresh spends current.RefreshToken and returns the service's answer. It is
	// never called for a token without one. The context given to it ends after
	// Timeout, not when the caller of Token gives up. Refresh must repeat
	// a failed request only if that cannot have spent the refresh token; nothing
	// here repeats it. nil means that refresh tokens are not used.
	Refresh func(ctx context.Context, current Token) (Set, error)
	// Grant obtains tokens without a refresh token, such as by client
	// credentials. It is called when nothing is stored, or what is stored cannot be
	// refreshed. nil means that this takes a new login: [ErrLoginRequired].
	// At least one of Refresh and Grant is required.
	Grant func(ctx context.Context) (Set, error)

	// OnChange, if set, is told of every token that takes the place of another:
	// after it was stored, before anyone gets it. Tokens that another process
	// renewed are told too, when they are noticed. It may be called
	// from several goroutines; those who wait for the token wait for it as well.
	OnChange func(Token)

	// Timeout bounds one Refresh or Grant. Zero means 60 seconds. A refresh token
	// whose answer is cut off may be spent, so be generous.
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
// Whoever loses the race gets the winner's token.
//
// A caller that gives up does not disturb the others. When all have given up, a
// renewal that has not yet asked the service is dropped; one that has is
// finished and stored, since its refresh token is spent.
//
// Where a renewal fails while the old token is still accepted, the old token is
// given out until it ends, with a new attempt every 5 seconds. A refusal with
// invalid_grant is final: the same refresh token is not sent again, and once the
// token has ended callers get [ErrLoginRequired], until a login stores another.
type Refreshing struct {
	config RefreshingConfig

	// Atomic pointers to what holds secrets: fmt cannot look behind them.
	current    atomic.Pointer[snapshot]
	flight     atomic.Pointer[flight]
	refused    atomic.Pointer[refusal]
	unsaved    atomic.Pointer[unsaved]
	rechecking atomic.Bool

	mu         sync.Mutex // guards generation, and changes of current and flight
	generation uint64     // counts calls of Forget
}

// snapshot is a token as held in memory; never changed once published.
type snapshot struct {
	token Token
	from  int64 // wall clock, ns: read from the store, or checked, at
	until int64 // wall clock, ns: look again at
}

// refusal remembers what the service has refused for good.
type refusal struct {
	refreshToken string
	accessToken  string // rejected by a service, and could not be renewed
	err          error
}

// unsaved is an answer that could not be stored, and what it replaces. Its
// refresh token is the only one that works, so it is stored before the next attempt.
type unsaved struct {
	replaces Token
	answer   Set
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
	case config.Timeout < 0:
		return fail("Timeout is negative")
	case config.RenewBefore < 0:
		return fail("RenewBefore is negative")
	case config.Recheck < 0:
		return fail("Recheck is negative")
	}
	var err error
	if config.Key, err = config.Key.Normal(); err != nil {
		return nil, fmt.Errorf("tokens: new refreshing source: %w", err)
	}
	if config.Timeout == 0 {
		config.Timeout = defaultRenewalTimeout
	}
	if config.Recheck == 0 {
		config.Recheck = defaultRecheck
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Refreshing{config: config}, nil
}

// Token returns a token that is not due for renewal; from memory if it can, from
// the store or the service if it must. It waits no longer than ctx.
//
// Errors: [ErrLoginRequired]; what the store, Refresh or Grant returned; the
// context's error.
func (r *Refreshing) Token(ctx context.Context) (Token, error) {
	held := r.current.Load()
	if held == nil {
		return r.wait(ctx, "")
	}
	now := r.config.Now().UnixNano()
	if now >= held.from && now < held.until {
		return held.token, nil
	}
	if r.due(held.token, now) {
		return r.wait(ctx, "")
	}
	return r.recheck(ctx, held)
}

// Renew returns a token other than rejected, which a service has answered with
// 401: the one that is stored meanwhile, or a new one. It waits no longer than
// ctx. Errors are those of [Refreshing.Token]; there is no falling back to the rejected token.
func (r *Refreshing) Renew(ctx context.Context, rejected Token) (Token, error) {
	return r.wait(ctx, rejected.AccessToken)
}

// Forget drops what is held in memory, so that the next call reads the store.
// Call it after a logout or login in the same process.
func (r *Refreshing) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	r.current.Store(nil)
	r.unsaved.Store(nil)
}

// renewable reports whether there is a way to replace the token without a login.
func (r *Refreshing) renewable(token Token) bool {
	return r.config.Grant != nil || (r.config.Refresh != nil && token.RefreshToken != "")
}

// due reports whether the token should be replaced. One that cannot be replaced
// is used to its end.
func (r *Refreshing) due(token Token, now int64) bool {
	switch {
	case token.Expiry.IsZero():
		return false
	case !r.renewable(token):
		return now >= token.Expiry.UnixNano()
	}
	at := r.renewAt(token)
	// One from the future was issued while a clock was ahead, so it ends earlier than it says.
	return now >= at.UnixNano() || (token.Lifetime > 0 && now < at.Add(-token.Lifetime).UnixNano())
}

// renewAt returns when a token with an expiry that can be renewed is due.
func (r *Refreshing) renewAt(token Token) time.Time {
	margin := r.config.RenewBefore
	if margin == 0 {
		margin = defaultRenewBefore
		if token.Lifetime > 0 {
			margin = min(margin, token.Lifetime/10)
		}
	} else if token.Lifetime > 0 {
		margin = min(margin, token.Lifetime-token.Lifetime/10)
	}
	return token.Expiry.Add(-margin)
}

// Wait returns when no renewal is in flight any more: what the service has
// returned is stored by then. A program calls it before it exits, after it has
// stopped to ask for tokens, since a renewal whose response is not stored loses the login. It
// waits no longer than ctx, and then returns an error that wraps the context's.
func (r *Refreshing) Wait(ctx context.Context) error {
	for {
		f := r.flight.Load()
		if f == nil {
			return nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return fmt.Errorf("tokens: token for %q: wait for a renewal that is in flight: %w", r.config.ResourceServer, ctx.Err())
		}
	}
}
