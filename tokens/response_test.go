package tokens_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// Whatever Refresh or Grant returns is stored, because what it replaces may be revoked.
func TestRefreshingToken_KeepsWhatTheServiceReturned(t *testing.T) {
	t.Parallel()
	wanted := tokens.Token{AccessToken: "new", RefreshToken: "R-new", ResourceServer: transfer}
	beside := tokens.Token{AccessToken: "beside", ResourceServer: "beside"}
	odd := errors.New("the ID token is expired")
	for name, row := range map[string]struct {
		set  tokens.Set
		err  error
		want string // the token given out; empty: an error
		says []string
	}{
		"another resource server's too": {set: mustSet(t, wanted, beside), want: "new"},
		"beside a problem":              {set: tokens.Salvage([]tokens.Token{wanted, beside}, odd), want: "new"},
		"beside an error":               {set: mustSet(t, wanted, beside), err: odd, want: "new"},
		"only another's":                {set: mustSet(t, beside), says: []string{"no token for this resource server"}},
		"only another's, and a problem": {set: tokens.Salvage([]tokens.Token{beside}, odd), says: []string{"no token for this resource server", odd.Error()}},
		"only another's, and an error":  {set: mustSet(t, beside), err: odd, says: []string{odd.Error()}},
		"only a problem":                {set: tokens.Salvage(nil, odd), says: []string{odd.Error()}},
	} {
		for _, how := range []string{"Refresh", "Grant"} {
			t.Run(how+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
						if how == "Refresh" {
							c.Refresh = func(context.Context, tokens.Token) (tokens.Set, error) { calls++; return row.set, row.err }
						} else {
							c.Refresh = nil
							c.Grant = func(context.Context) (tokens.Set, error) { calls++; return row.set, row.err }
						}
					})
					time.Sleep(49 * time.Hour)
					token, err := source.Token(t.Context())
					if (err == nil) != (row.want != "") || token.AccessToken != row.want || calls != 1 {
						t.Fatalf("got %q, %v after %d calls; want %q", token.AccessToken, err, calls, row.want)
					}
					for _, text := range row.says {
						if !strings.Contains(err.Error(), text) {
							t.Errorf("the error %q does not say %q", err, text)
						}
					}
					set, err := store.Load(t.Context(), testKey())
					if err != nil {
						t.Fatal(err)
					}
					for _, token := range row.set.All() {
						if got, _ := set.ByResourceServer(token.ResourceServer); got.AccessToken != token.AccessToken || got.RefreshToken != token.RefreshToken {
							t.Errorf("stored %v, want %v", got, token)
						}
					}
					if _, found := set.ByResourceServer("other"); !found {
						t.Error("a token that has nothing to do with it is gone")
					}
				})
			})
		}
	}
}

// A refresh token that came without an access token is stored, and the next renewal uses it.
func TestRefreshingToken_OnlyTheRefreshTokenIsNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		odd := errors.New("no usable access token")
		var used []string
		_, _, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Refresh = func(_ context.Context, current tokens.Token) (tokens.Set, error) {
				used = append(used, current.RefreshToken)
				current.RefreshToken = "R-new"
				if len(used) == 1 {
					return mustSet(t, current), odd
				}
				current.AccessToken, current.Expiry = "new", time.Now().Add(48*time.Hour)
				return mustSet(t, current), nil
			}
		})
		time.Sleep(49 * time.Hour)
		if token, err := source.Token(t.Context()); !errors.Is(err, odd) {
			t.Errorf("got %v, %v; want %v", token, err, odd)
		}
		if token, err := source.Token(t.Context()); err != nil || token.AccessToken != "new" || len(used) != 2 || used[1] != "R-new" {
			t.Errorf("got %v, %v after refreshes with %q", token, err, used)
		}
	})
}

func TestRefreshingToken_GrantCarriesNothingOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Refresh = nil
			c.Grant = func(context.Context) (tokens.Set, error) {
				return tokens.NewSet(tokens.Token{AccessToken: "G", ResourceServer: transfer})
			}
		})
		time.Sleep(49 * time.Hour)
		want(t, source, "G")
		if got := stored(t, store); got != (tokens.Token{AccessToken: "G", ResourceServer: transfer}) {
			t.Errorf("the grant's token has what a login before it had: %v", got)
		}
	})
}

// A clock that is wrong must not make one renewal after the other.
func TestRefreshingToken_DueAsSoonAsIssued(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ expiry, lifetime time.Duration }{
		"expired on receipt": {-time.Hour, 0},
		"due on receipt":     {time.Second, 0},
		"no lifetime to use": {0, time.Second},
		"from the future":    {1000 * time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				_, _, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
					c.Refresh = func(context.Context, tokens.Token) (tokens.Set, error) {
						calls++
						return tokens.NewSet(tokens.Token{
							AccessToken: "new", RefreshToken: "R", ResourceServer: transfer, Expiry: time.Now().Add(row.expiry), Lifetime: row.lifetime,
						})
					}
				})
				time.Sleep(49 * time.Hour)
				for range 10 {
					want(t, source, "new")
				}
				time.Sleep(5*time.Second - 1)
				want(t, source, "new")
				if calls != 1 {
					t.Errorf("%d renewals at once", calls)
				}
			})
		})
	}
}

func TestRefreshingToken_EndlessLifetimeIsNotDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		token := stored(t, store)
		token.Expiry, token.Lifetime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 0
		put(t, store, mustSet(t, token))
		for range 3 {
			want(t, source, "A0")
			time.Sleep(time.Minute)
		}
		if s.count() != 0 {
			t.Errorf("%d renewals", s.count())
		}
	})
}

func TestRefreshingToken_ExpiredTokenIsToldWithBothTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, nil)
		token := stored(t, store)
		token.RefreshToken = ""
		put(t, store, mustSet(t, token))
		time.Sleep(49 * time.Hour)
		_, err := source.Token(t.Context())
		for _, text := range []string{token.Expiry.Format(time.RFC3339), "this machine's clock says " + time.Now().UTC().Format(time.RFC3339)} {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("the error %v does not say %q", err, text)
			}
		}
	})
}

// A process that was stopped while the response arrived reads it when it continues.
func TestRefreshingToken_SuspendedWhileTheServiceResponds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
		})
		time.Sleep(49 * time.Hour)
		s.delay = time.Minute + time.Millisecond // it is read just after the time is up
		go func() {
			time.Sleep(59 * time.Second)
			shift.Store(int64(time.Hour))
		}()
		want(t, source, "A1")
		if got := stored(t, store); got.RefreshToken != "R1" {
			t.Errorf("stored %v", got)
		}
	})
}

func TestRefreshingToken_StoreIsReadAgainByOneCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		slow := &slowStore{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: slow, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		want(t, source, "A0")
		time.Sleep(time.Hour)
		go want(t, source, "A0")
		synctest.Wait()
		start := time.Now()
		want(t, source, "A0")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("a second caller waited %v for the store although the token is good", waited)
		}
		time.Sleep(time.Hour)
		hurry, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if token, err := source.Token(hurry); err != nil || token.AccessToken != "A0" {
			t.Errorf("a caller with no time for the store got %v, %v", token, err)
		}
		if err := source.Wait(t.Context()); err != nil || s.count() != 0 {
			t.Errorf("%v, %d renewals", err, s.count())
		}
	})
}
