package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	// Key says under which key of the store. Required.
	Key Key
	// ResourceServer names the token. Required.
	ResourceServer string

	// Refresh uses current.RefreshToken and returns the service's response. It is
	// never called for a token without one. The context given to it ends after
	// 60 seconds, not when the caller of Token gives up. Refresh must retry
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

	// OnChange, if set, is called with every token that replaces another, after it was stored;
	// also with tokens that another process has stored, when they are noticed. So a program hands
	// tokens on, such as in a file for another program. Callers that wait for the token wait for
	// OnChange as well; callers that come meanwhile get the token at once. If OnChange fails, those that wait
	// get its error, and the next call of Token calls it again with the token, which stays stored.
	// It may be called from several goroutines. Its context ends after 60 seconds, not with that of a caller.
	OnChange func(context.Context, Token) error

	// RenewBefore is how long before its end a token that can be renewed is renewed, so that
	// the tokens given out are good for at least that long. Zero means 60 seconds, or
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
	// A pointer, because fmt prints the fields of another struct's unexported field
	// without asking Format, but does not follow the pointers in it.
	*state
}

// state is all that changes.
type state struct {
	// held is changed under mu. Token reads it without, because a mutex takes five times as long
	// when 64 goroutines want it.
	held atomic.Pointer[snapshot]

	mu       sync.Mutex           // guards what follows
	flight   *flight              // the renewal that callers join, if one runs
	running  map[*flight]struct{} // that one, and those that Forget has cut off
	unsaved  response             // could not be stored; it is stored before the service is asked again
	refused  refusal
	rejected string // an access token that a service rejected, and that cannot be renewed
	untold   bool   // OnChange failed: it is called with the next token, whether or not that is another
}

// snapshot is a token as held in memory; never changed once published. Its times are wall clock
// readings in nanoseconds, because the monotonic clock stops while a machine sleeps.
type snapshot struct {
	token Token
	from  int64 // it was looked at
	until int64 // look again
}

func (s *snapshot) covers(now time.Time) bool {
	nano := now.UnixNano()
	return nano >= s.from && nano < s.until
}

// refusal is the refresh token that the service has refused for good.
type refusal struct {
	refreshToken string
	err          error
}

var (
	_ Source  = (*Refreshing)(nil)
	_ Renewer = (*Refreshing)(nil)
)

// NewRefreshing checks the configuration. It does not touch the store.
func NewRefreshing(config RefreshingConfig) (*Refreshing, error) {
	var err error
	switch {
	case config.Store == nil:
		err = errors.New("the Store is nil")
	case config.ResourceServer == "":
		err = errors.New("the ResourceServer is empty")
	case config.Refresh == nil && config.Grant == nil:
		err = errors.New("both Refresh and Grant are nil")
	case config.RenewBefore < 0:
		err = errors.New("the RenewBefore is negative")
	default:
		config.Key, err = config.Key.Normal()
	}
	if err != nil {
		return nil, fmt.Errorf("tokens: new refreshing source: %w", err)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Refreshing{config, &state{running: map[*flight]struct{}{}}}, nil
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
	if held := r.held.Load(); held != nil && held.covers(r.config.Now()) {
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
// stopped asking for tokens, since a renewal whose response is not stored loses the login. It
// waits no longer than ctx, and then returns an error that wraps the context's.
func (r *Refreshing) Wait(ctx context.Context) (err error) {
	defer r.prefix(&err)
	for {
		r.mu.Lock()
		all := slices.Collect(maps.Keys(r.running))
		r.mu.Unlock()
		if len(all) == 0 {
			return nil
		}
		select {
		case <-all[0].done:
		case <-ctx.Done():
			return fmt.Errorf("wait for a renewal that is in flight: %w", ctx.Err())
		}
	}
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
	margin := cmp.Or(r.config.RenewBefore, defaultRenewBefore)
	switch tenth := token.Lifetime / 10; {
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
	switch {
	case end.IsZero():
		return false
	case !now.Before(end):
		return true
	}
	// From the future, with the margin as tolerance: it ends earlier than it says.
	return token.Lifetime > 0 && r.renewable(token) && now.Before(end.Add(-token.Lifetime))
}

// ended reports whether services do not accept the token any more.
func ended(token Token, now time.Time) bool {
	return !token.Expiry.IsZero() && !now.Before(token.Expiry)
}

// hold says how long a token may be given out before looking again.
func hold(token Token, now time.Time, limit time.Duration, end time.Time) *snapshot {
	until := now.Add(limit)
	if !end.IsZero() && end.Before(until) {
		until = end
	}
	return &snapshot{token: token, from: now.UnixNano(), until: until.UnixNano()}
}
