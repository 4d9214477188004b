package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/tokens"
)

// service stands for the token endpoint: every refresh rotates both tokens, and
// a used refresh token is refused.
type service struct {
	mu       sync.Mutex
	calls    int
	refresh  string // the only refresh token that works
	delay    time.Duration
	lifetime time.Duration
	err      error
	sent     []string
}

func (s *service) issue() tokens.Token {
	s.refresh = fmt.Sprintf("R%d", s.calls)
	return tokens.Token{
		AccessToken: fmt.Sprintf("A%d", s.calls), RefreshToken: s.refresh, ResourceServer: transfer, Scope: "x",
		Expiry: time.Now().Add(s.lifetime), Lifetime: s.lifetime,
	}
}

func (s *service) Refresh(ctx context.Context, current tokens.Token) (tokens.Set, error) {
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return tokens.Set{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.sent = append(s.sent, current.RefreshToken)
	if s.err != nil {
		return tokens.Set{}, s.err
	}
	if current.RefreshToken != s.refresh {
		return tokens.Set{}, &apierror.Error{Operation: "refresh", Code: "invalid_grant", StatusCode: 400}
	}
	return tokens.NewSet(s.issue())
}

func (s *service) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func testKey() tokens.Key { return tokens.Key{ClientID: "client"} }

func put(t *testing.T, store tokens.Store, set tokens.Set) {
	t.Helper()
	_, err := store.Update(t.Context(), testKey(), func(tokens.Set) (tokens.Set, error) { return set, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func stored(t *testing.T, store tokens.Store) tokens.Token {
	t.Helper()
	set, err := store.Load(t.Context(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	token, _ := set.ByResourceServer(transfer)
	return token
}

// loggedIn returns a service, a store that holds a login, and a source over both.
func loggedIn(t *testing.T, change func(*tokens.RefreshingConfig)) (*service, *tokens.Memory, *tokens.Refreshing) {
	t.Helper()
	s := &service{lifetime: 48 * time.Hour, delay: time.Second}
	store := tokens.NewMemory()
	put(t, store, mustSet(t, s.issue(), tokens.Token{AccessToken: "other", ResourceServer: "other"}))
	config := tokens.RefreshingConfig{Store: store, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh}
	if change != nil {
		change(&config)
	}
	source, err := tokens.NewRefreshing(config)
	if err != nil {
		t.Fatal(err)
	}
	return s, store, source
}

func want(t *testing.T, source tokens.Source, access string) tokens.Token {
	t.Helper()
	token, err := source.Token(t.Context())
	if err != nil || token.AccessToken != access {
		t.Errorf("got %q, %v; want %q", token.AccessToken, err, access)
	}
	return token
}

func TestRefreshingToken_RenewsInTime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ lifetime, good time.Duration }{
		"usual lifetime":   {48 * time.Hour, 48*time.Hour - 60*time.Second},
		"a short lifetime": {100 * time.Second, 90 * time.Second},
		"ten minutes":      {10 * time.Minute, 9 * time.Minute},
		"a minute of it":   {time.Minute, 54 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, store, source := loggedIn(t, nil)
				s.lifetime = row.lifetime
				put(t, store, mustSet(t, s.issue()))
				start := time.Now()
				want(t, source, "A0")
				time.Sleep(row.good - time.Since(start) - time.Millisecond)
				want(t, source, "A0")
				time.Sleep(time.Millisecond)
				token := want(t, source, "A1")
				if got := stored(t, store); got != token || got.RefreshToken != "R1" {
					t.Errorf("stored %v, given out %v", got, token)
				}
				if s.count() != 1 {
					t.Errorf("%d refreshes, want 1", s.count())
				}
			})
		})
	}
}

func TestRefreshingToken_KeepsTheRestOfTheSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, nil)
		time.Sleep(49 * time.Hour)
		want(t, source, "A1")
		set, err := store.Load(t.Context(), testKey())
		if other, found := set.ByResourceServer("other"); err != nil || !found || other.AccessToken != "other" {
			t.Errorf("the other token is %v, %v", other, err)
		}
	})
}

func TestRefreshingRenew_RejectedForGood(t *testing.T) {
	t.Parallel()
	for _, refreshable := range []bool{true, false} {
		t.Run(fmt.Sprintf("refreshable=%v", refreshable), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, store, source := loggedIn(t, nil)
				if !refreshable {
					token := stored(t, store)
					token.RefreshToken = ""
					put(t, store, mustSet(t, token))
				}
				s.refresh = "revoked"
				token := want(t, source, "A0")
				for range 2 {
					if _, err := source.Renew(t.Context(), token); !errors.Is(err, tokens.ErrLoginRequired) {
						t.Fatalf("error %v, want ErrLoginRequired", err)
					}
				}
				// Its time has not come, but it is known to be rejected.
				if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
					t.Fatalf("error %v, want ErrLoginRequired", err)
				}
				if s.count() > 1 {
					t.Errorf("%d refreshes", s.count())
				}
			})
		})
	}
}

func TestRefreshingToken_NotRenewable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, nil)
		token := stored(t, store)
		token.RefreshToken = ""
		put(t, store, mustSet(t, token))
		time.Sleep(48*time.Hour - time.Nanosecond)
		want(t, source, "A0")
		time.Sleep(time.Nanosecond)
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) || !strings.Contains(err.Error(), "has expired") {
			t.Fatalf("error %v", err)
		}
	})
}

func TestRefreshingToken_NothingStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		if err := store.Delete(t.Context(), testKey()); err != nil {
			t.Fatal(err)
		}
		_, err := source.Token(t.Context())
		if !errors.Is(err, tokens.ErrLoginRequired) || !strings.Contains(err.Error(), "nothing is stored for client client") {
			t.Fatalf("error %v", err)
		}
		put(t, store, mustSet(t, s.issue()))
		want(t, source, "A0")
	})
}

func TestRefreshingToken_ClockJumps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
		})
		want(t, source, "A0")
		shift.Store(int64(49 * time.Hour)) // woke up after two days
		want(t, source, "A1")
		shift.Store(int64(-1000 * time.Hour)) // and NTP says it was all a mistake
		want(t, source, "A2")                 // A1 ends long before its expiry
		want(t, source, "A2")
		s.calls = 5
		put(t, store, mustSet(t, s.issue()))
		shift.Store(int64(-1001 * time.Hour))
		want(t, source, "A6") // memory from the future is not trusted either
	})
}

func TestRefreshingToken_LoginMadeWhileTheClockWasAhead(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ahead time.Duration
		want  string
	}{
		"days":     {72 * time.Hour, "A1"},
		"a minute": {time.Minute, "A0"}, // which the renewal a minute before the end makes up for
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, store, source := loggedIn(t, nil)
				ahead := stored(t, store)
				ahead.Expiry = ahead.Expiry.Add(row.ahead)
				put(t, store, mustSet(t, ahead))
				want(t, source, row.want)
				time.Sleep(time.Hour)
				want(t, source, row.want)
				if s.count() > 1 {
					t.Errorf("%d renewals", s.count())
				}
			})
		})
	}
}

func TestRefreshingToken_RenewBefore(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, row := range map[string]struct{ lifetime, before, good time.Duration }{
		"longer than usual":        {2 * day, 6 * time.Hour, 2*day - 6*time.Hour},
		"shorter than usual":       {2 * day, time.Second, 2*day - time.Second},
		"more than a tenth":        {10 * time.Minute, 5 * time.Minute, 5 * time.Minute},
		"longer than the lifetime": {2 * day, 3 * day, 2 * day / 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) { c.RenewBefore = row.before })
				s.delay, s.lifetime = 0, row.lifetime
				put(t, store, mustSet(t, s.issue()))
				want(t, source, "A0")
				time.Sleep(row.good - time.Millisecond)
				want(t, source, "A0")
				time.Sleep(time.Millisecond)
				want(t, source, "A1")
				want(t, source, "A1")
			})
		})
	}
}
