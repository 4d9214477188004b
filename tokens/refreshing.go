package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/globusauth/globusauth/internal/prefix"
)

const (
	// renewalTimeout limits one Refresh, Grant or OnChange. It is generous, because a response that is cut
	// off may have used the refresh token.
	renewalTimeout     = 60 * time.Second
	defaultRenewBefore = 60 * time.Second // as the SDKs of the service
	// recheck is how long a token is given out of memory before the store is read again, which
	// is how a logout or a login of another process is noticed while the token is still good.
	recheck = 30 * time.Second
	// retryPause is how long a token is used on after a renewal that failed, or
	// that gave a token which is due at once, before the next attempt.
	retryPause = 5 * time.Second
)

// RefreshingConfig says which token a [Refreshing] keeps usable, and how.
type RefreshingConfig struct {
	// Store keeps the token. Required. Sources that share a store, in this
	// process or another, share the token.
	Store Store
	// Key is the key of the token in the store. Required.
	Key Key
	// ResourceServer names the token. Required.
	ResourceServer string

	// Refresh uses current.RefreshToken and returns the service's response. It is
	// never called for a token without one. Either Refresh or Grant is required. The context given to it ends after
	// 60 seconds, not when the caller of Token gives up. Refresh must retry
	// a failed request only if that cannot have used the refresh token; nothing
	// here retries it. What it returns is stored, also beside an error, which is then
	// returned only if the set does not hold the wanted token.
	Refresh func(ctx context.Context, current Token) (Set, error)
	// Grant obtains tokens without a refresh token, such as by client
	// credentials, also when nothing is stored. What it returns is treated as that of Refresh, but
	// replaces what is stored for the same resource servers as a whole.
	Grant func(ctx context.Context) (Set, error)

	// IdentityID, if set, is the identity that all tokens under Key must belong to: those of another
	// are not returned, not refreshed and not replaced ([ErrIdentityMismatch]). Where Grant obtains
	// the tokens of the client itself it is the client ID, which Grant's tokens must name; stored
	// ones without an identity are replaced then.
	IdentityID string

	// OnChange, if set, is called with every token that replaces another, after it was stored;
	// also with tokens that another process has stored, when they are noticed. So a program hands
	// tokens on, such as in a file for another program. Callers that wait for the token wait for
	// OnChange as well; callers that come meanwhile get the token at once. If OnChange fails, those that wait
	// get its error, and the next call of Token calls it again with the token, which stays stored.
	// It must not call Renew or Wait of the same source. Its context ends after 60 seconds, not with that of a caller.
	OnChange func(context.Context, Token) error

	// RenewBefore is how long before its expiry a token that can be renewed is renewed,
	// so that returned tokens are valid for at least that long. Zero means 60 seconds, or
	// the last tenth of a lifetime shorter than ten minutes. No token is renewed in the
	// first tenth of its lifetime, however large RenewBefore is.
	RenewBefore time.Duration
	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// Refreshing is a [Source] and [Renewer] that keeps one token of a [Store]
// usable. It is safe for concurrent use, starts no goroutine that outlives a
// renewal, and sends one request at a time however many goroutines use it:
// the renewal happens inside [Store.Update], so that other processes take part.
// A process that comes second gets the token of the first.
//
// A caller that gives up does not disturb the others. A renewal that has not yet
// asked the service ends with the context of the caller that began it, and another
// waiting caller begins anew; one that has is finished and stored, since its refresh
// token is already used: a program calls [Refreshing.Wait] before it exits.
//
// Where a renewal fails while the old token is still accepted, the old token is returned
// until it expires, with a new attempt every 5 seconds. A refusal with invalid_grant is
// final: the same refresh token is not sent again, and once the token has expired callers
// get [ErrLoginRequired], until a login stores another.
//
// A token whose expiry is further away than its lifetime was issued while a clock was ahead: it is
// renewed too. One that is due as soon as it was issued, as this machine's clock shows it, is returned
// for 5 seconds, so that a wrong clock causes no loop of renewals.
type Refreshing struct {
	config RefreshingConfig
	// A pointer, because fmt prints the fields of another struct's unexported field
	// without asking Format, but does not follow the pointers in it.
	*state
}

// state is all that changes.
type state struct {
	// last is what the last attempt came to. Token reads it without the turn, because a lock takes
	// five times as long when 64 goroutines want it.
	last  atomic.Pointer[outcome]
	epoch atomic.Int64 // counts calls of Forget

	turn *semaphore.Weighted // of the one attempt that runs; it guards what follows

	unsaved  response // could not be stored; it is stored before the service is asked again
	refused  refusal
	rejected string // an access token that a service rejected, and that cannot be renewed
	untold   bool   // OnChange failed: it is called with the next token, whether or not that is another
}

// refusal is the refresh token that the service has refused for good.
type refusal struct {
	refreshToken string
	err          error
}

var _ Renewer = (*Refreshing)(nil)

// NewRefreshing checks the configuration. It does not touch the store.
func NewRefreshing(config RefreshingConfig) (_ *Refreshing, err error) {
	defer prefix.Add(&err, "tokens: new refreshing source")
	switch {
	case config.Store == nil:
		return nil, errors.New("the Store is nil")
	case config.ResourceServer == "":
		return nil, errors.New("the ResourceServer is empty")
	case (config.Refresh == nil) == (config.Grant == nil):
		return nil, errors.New("either Refresh or Grant must be set")
	case config.RenewBefore < 0:
		return nil, errors.New("the RenewBefore is negative")
	}
	if config.Key, err = config.Key.Normal(); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Refreshing{config, &state{turn: semaphore.NewWeighted(1)}}, nil
}

// prefix says which token an error is about.
func (r *Refreshing) prefix(err *error) {
	prefix.Add(err, fmt.Sprintf("tokens: token for %q", r.config.ResourceServer))
}

// Token returns a token that is not due for renewal; from memory if it can, from
// the store or the service if it must. It waits no longer than ctx.
//
// Errors: [ErrLoginRequired]; [ErrIdentityMismatch]; what the store, Refresh or Grant returned; the
// context's error.
func (r *Refreshing) Token(ctx context.Context) (Token, error) {
	if last := r.recall(); last != nil && last.covers(r.config.Now()) {
		return last.token, nil
	}
	return r.wait(ctx, "")
}

// Renew returns a token other than rejected, which a service has rejected with 401: the one
// that is stored meanwhile, or a new one. It waits no longer than ctx. Errors are those of
// [Refreshing.Token]; the rejected token is never returned.
func (r *Refreshing) Renew(ctx context.Context, rejected Token) (Token, error) {
	return r.wait(ctx, rejected.AccessToken)
}

// Wait returns when no renewal is in flight any more: what the service has
// returned is stored by then. A program calls it before it exits, after it has
// stopped asking for tokens, since a renewal whose response is not stored loses the login. It
// waits no longer than ctx, and then returns an error that wraps the context's.
func (r *Refreshing) Wait(ctx context.Context) (err error) {
	defer r.prefix(&err)
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for a renewal that is in flight: %w", err)
	}
	r.turn.Release(1)
	return nil
}

// Forget drops what is held in memory, so that the next call reads the store.
// Call it after a logout or login in the same process.
func (r *Refreshing) Forget() { r.epoch.Add(1) }

// Format writes what the source is for, without secrets, whatever the verb.
func (r *Refreshing) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "source of the token for %q of client %s", r.config.ResourceServer, r.config.Key.ClientID)
}

// renewable reports whether there is a way to replace the token without a login.
func (r *Refreshing) renewable(token Token) bool {
	return r.config.Grant != nil || token.RefreshToken != ""
}

// endOf returns until when the token is used, zero if forever: until it is due if it can be renewed.
func (r *Refreshing) endOf(token Token) time.Time {
	if token.Expiry.IsZero() || !r.renewable(token) {
		return token.Expiry
	}
	margin, tenth := cmp.Or(r.config.RenewBefore, defaultRenewBefore), token.Lifetime/10
	switch {
	case token.Lifetime == 0:
	case r.config.RenewBefore == 0:
		margin = min(margin, tenth)
	default:
		margin = min(margin, token.Lifetime-tenth)
	}
	return token.Expiry.Add(-margin)
}

// due reports whether the token should be replaced. One that cannot be replaced
// is used to its end.
func (r *Refreshing) due(token Token, now time.Time) bool {
	end := r.endOf(token)
	if end.IsZero() {
		return false
	}
	// From the future, with the margin as tolerance: it ends earlier than it says.
	ahead := token.Lifetime > 0 && r.renewable(token) && now.Before(end.Add(-token.Lifetime))
	return ahead || !now.Before(end)
}

// ended reports whether services do not accept the token any more.
func ended(token Token, now time.Time) bool {
	return !token.Expiry.IsZero() && !now.Before(token.Expiry)
}
