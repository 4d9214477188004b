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
// a spent refresh token is refused.
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

// holdUpdate keeps others from updating until wait returns.
func holdUpdate(t *testing.T, store tokens.Store, wait func()) {
	t.Helper()
	if _, err := store.Update(t.Context(), testKey(), func(set tokens.Set) (tokens.Set, error) {
		wait()
		return set, nil
	}); err != nil {
		t.Error(err)
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

func TestRefreshingRenewsInTime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ lifetime, good time.Duration }{
		"usual life":     {48 * time.Hour, 48*time.Hour - 60*time.Second},
		"a short life":   {100 * time.Second, 90 * time.Second},
		"ten minutes":    {10 * time.Minute, 9 * time.Minute},
		"a minute of it": {time.Minute, 54 * time.Second},
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

func TestRefreshingKeepsTheRestOfTheSet(t *testing.T) {
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

func TestThousandGoroutinesOneRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		time.Sleep(49 * time.Hour)
		var wg sync.WaitGroup
		var good atomic.Int64
		for range 1000 {
			wg.Go(func() {
				if token, err := source.Token(t.Context()); err == nil && token.AccessToken == "A1" {
					good.Add(1)
				}
			})
		}
		wg.Wait()
		if good.Load() != 1000 || s.count() != 1 {
			t.Errorf("%d of 1000 got the token, %d refreshes", good.Load(), s.count())
		}
	})
}

func TestCancelledWaitersDoNotDisturbTheLast(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"before the service is asked", "while it answers"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, store, source := loggedIn(t, nil)
				time.Sleep(49 * time.Hour)
				block, unblock := make(chan struct{}), make(chan struct{})
				if moment == "before the service is asked" {
					go holdUpdate(t, store, func() { close(block); <-unblock })
					<-block
				}
				ctx, cancel := context.WithCancel(t.Context())
				var gaveUp sync.WaitGroup
				for range 999 {
					gaveUp.Go(func() {
						if _, err := source.Token(ctx); !errors.Is(err, context.Canceled) {
							t.Errorf("error %v, want the context's", err)
						}
					})
				}
				var last sync.WaitGroup
				last.Go(func() {
					if token, err := source.Token(t.Context()); err != nil || token.AccessToken != "A1" {
						t.Errorf("the last got %v, %v", token, err)
					}
				})
				synctest.Wait()
				cancel()
				gaveUp.Wait()
				close(unblock)
				last.Wait()
				if s.count() != 1 {
					t.Errorf("%d refreshes, want 1", s.count())
				}
			})
		})
	}
}

func TestRefreshThatWasSentIsFinishedAndStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		time.Sleep(49 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := source.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want the context's", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := stored(t, store); got.RefreshToken != "R1" || s.count() != 1 {
			t.Errorf("stored %q after %d refreshes: the answer was lost", got.RefreshToken, s.count())
		}
		want(t, source, "A1")
	})
}

func TestRefreshNobodyWaitsForIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		time.Sleep(49 * time.Hour)
		unblock := make(chan struct{})
		go holdUpdate(t, store, func() { <-unblock })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := source.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want the context's", err)
		}
		close(unblock)
		synctest.Wait()
		if s.count() != 0 {
			t.Errorf("%d refreshes for nobody", s.count())
		}
		want(t, source, "A1")
	})
}

func TestRefreshIsBoundedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, func(c *tokens.RefreshingConfig) { c.Timeout = 10 * time.Second })
		s.delay = time.Hour
		time.Sleep(49 * time.Hour)
		start := time.Now()
		_, err := source.Token(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

func TestInvalidGrantIsFinal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		s.refresh = "revoked"
		time.Sleep(49 * time.Hour)
		for range 3 {
			_, err := source.Token(t.Context())
			if !errors.Is(err, tokens.ErrLoginRequired) || !errors.Is(err, apierror.ErrInvalidGrant) {
				t.Fatalf("error %v, want ErrLoginRequired and ErrInvalidGrant", err)
			}
			time.Sleep(time.Hour)
		}
		if s.count() != 1 {
			t.Errorf("the dead refresh token was sent %d times", s.count())
		}
		if got := stored(t, store); got.RefreshToken != "R0" {
			t.Errorf("the store was changed: %v", got)
		}
		// A login, by whomever, ends it.
		put(t, store, mustSet(t, s.issue()))
		want(t, source, "A1")
	})
}

func TestInvalidGrantBecauseSomebodyWithoutALockWasFaster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		foreign := &foreignWriter{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: foreign, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		s.calls = 7
		foreign.next = mustSet(t, s.issue()) // the service has rotated, and the other program stores the answer in a moment
		want(t, source, "A7")
		if s.count() != 8 {
			t.Errorf("%d refreshes, want 1", s.count()-7)
		}
	})
}

// foreignWriter changes the store behind the back of an update, as a program does that knows no lock.
type foreignWriter struct {
	*tokens.Memory
	next    tokens.Set
	changed bool
}

func (f *foreignWriter) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	set, err := f.Memory.Update(ctx, key, fn)
	if err != nil && !f.changed {
		f.changed = true
		_, updateErr := f.Memory.Update(ctx, key, func(tokens.Set) (tokens.Set, error) { return f.next, nil })
		err = errors.Join(err, updateErr)
	}
	return set, err
}

func TestFailedRefreshIsNotRepeatedByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		cause := errors.New("connection reset")
		s.fail(cause)
		time.Sleep(49 * time.Hour)
		_, err := source.Token(t.Context())
		if !errors.Is(err, cause) || errors.Is(err, tokens.ErrLoginRequired) || s.count() != 1 {
			t.Fatalf("error %v after %d refreshes", err, s.count())
		}
		s.fail(nil)
		if got := stored(t, store).RefreshToken; got != "R0" {
			t.Fatalf("the store holds %q", got)
		}
		want(t, source, "A2")
	})
}

func TestOldTokenServesWhileRenewalFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		s.delay = 0
		cause := errors.New("service unavailable")
		s.fail(cause)
		time.Sleep(48*time.Hour - 60*time.Second) // due, but accepted for another minute
		for i := range 10 {
			want(t, source, "A0")
			want(t, source, "A0") // without another attempt
			if s.count() != i+1 {
				t.Fatalf("%d attempts after %d pauses", s.count(), i)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(10 * time.Second)
		if _, err := source.Token(t.Context()); !errors.Is(err, cause) {
			t.Fatalf("error %v, want the cause, now that the token has ended", err)
		}
		s.fail(nil)
		want(t, source, "A12")
	})
}

func TestRenew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		first := want(t, source, "A0")
		var wg sync.WaitGroup
		for range 100 { // all were answered 401 with the same token
			wg.Go(func() {
				if token, err := source.Renew(t.Context(), first); err != nil || token.AccessToken != "A1" {
					t.Errorf("got %v, %v", token, err)
				}
			})
		}
		wg.Wait()
		if token, err := source.Renew(t.Context(), first); err != nil || token.AccessToken != "A1" || s.count() != 1 {
			t.Errorf("a late one got %v, %v after %d refreshes", token, err, s.count())
		}
		if token, err := source.Renew(t.Context(), want(t, source, "A1")); err != nil || token.AccessToken != "A2" {
			t.Errorf("the next rejection got %v, %v", token, err)
		}
	})
}

func TestRenewWhileAReadIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		slow := &slowStore{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: slow, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { want(t, source, "A0") })
		time.Sleep(time.Millisecond) // that one reads now, and will find a token that is still good
		wg.Go(func() {
			if token, err := source.Renew(t.Context(), tokens.Token{AccessToken: "A0"}); err != nil || token.AccessToken != "A1" {
				t.Errorf("got %v, %v; want A1", token, err)
			}
		})
		wg.Wait()
	})
}

type slowStore struct{ *tokens.Memory }

func (s *slowStore) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	time.Sleep(time.Second)
	return s.Memory.Load(ctx, key)
}

func TestRejectedForGood(t *testing.T) {
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
				// Its time has not come, but everybody knows that it is dead.
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

func TestTokenThatCannotBeRenewedServesToItsEnd(t *testing.T) {
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

func TestNothingStored(t *testing.T) {
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

func TestChangesByOtherProcessesAreNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.OnChange = func(token tokens.Token) { changes = append(changes, token.AccessToken) }
		})
		want(t, source, "A0")
		s.calls = 5
		put(t, store, mustSet(t, s.issue())) // another login
		want(t, source, "A0")
		time.Sleep(30 * time.Second)
		want(t, source, "A5")
		if err := store.Delete(t.Context(), testKey()); err != nil { // a logout
			t.Fatal(err)
		}
		want(t, source, "A5")
		time.Sleep(30 * time.Second)
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Fatalf("error %v, want ErrLoginRequired", err)
		}
		if fmt.Sprint(changes) != "[A5]" {
			t.Errorf("OnChange was told %v, want [A5]", changes)
		}
	})
}

func TestLogoutWhileTheTokenIsDueIsRespected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		want(t, source, "A0")
		time.Sleep(48*time.Hour - 30*time.Second) // due, still accepted
		if err := store.Delete(t.Context(), testKey()); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) || s.count() != 0 {
			t.Fatalf("error %v after %d refreshes", err, s.count())
		}
	})
}

func TestForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, nil)
		want(t, source, "A0")
		if err := store.Delete(t.Context(), testKey()); err != nil {
			t.Fatal(err)
		}
		want(t, source, "A0")
		source.Forget()
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Fatalf("error %v, want ErrLoginRequired", err)
		}
	})
}

func TestForgetWhileARenewalIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, nil)
		time.Sleep(49 * time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { want(t, source, "A1") })
		synctest.Wait()
		source.Forget()
		wg.Wait()
		if err := store.Delete(t.Context(), testKey()); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Fatalf("error %v: the renewal put back what was forgotten", err)
		}
	})
}

func TestStoreThatCannotBeReadDoesNotFailAGoodToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		want(t, source, "A0")
		faulty.load = errors.New("damaged")
		time.Sleep(time.Hour)
		want(t, source, "A0")
		time.Sleep(47*time.Hour - 10*time.Second) // due, still accepted
		want(t, source, "A0")
		time.Sleep(10 * time.Second)
		if _, err := source.Token(t.Context()); !errors.Is(err, faulty.load) {
			t.Fatalf("error %v, want the store's", err)
		}
	})
}

type faultyStore struct {
	*tokens.Memory
	load, save error
}

func (f *faultyStore) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	if f.load != nil {
		return tokens.Set{}, f.load
	}
	return f.Memory.Load(ctx, key)
}

func (f *faultyStore) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	if f.save == nil {
		return f.Memory.Update(ctx, key, fn)
	}
	current, err := f.Memory.Load(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	next, err := fn(current)
	if err != nil {
		return tokens.Set{}, err
	}
	return next, f.save
}

func TestAnswerThatCannotBeStoredIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store, save: errors.New("no space left")}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		for range 3 {
			if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
				t.Fatalf("error %v, want the store's: nobody may use what is not stored", err)
			}
		}
		faulty.save = nil // somebody made room
		want(t, source, "A1")
		if s.count() != 1 || stored(t, store).RefreshToken != "R1" {
			t.Errorf("%d refreshes, stored %v", s.count(), stored(t, store))
		}
	})
}

func TestAnswerThatCouldNotBeStoredGivesWayToALogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store, save: errors.New("no space left")}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
			t.Fatalf("error %v", err)
		}
		faulty.save = nil
		s.calls = 9
		put(t, store, mustSet(t, s.issue()))
		want(t, source, "A9")
	})
}

func TestAnswerThatCouldNotBeStoredGivesWayToALoginThatIsDueItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store, save: errors.New("no space left")}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
			t.Fatalf("error %v", err)
		}
		faulty.save = nil
		s.calls = 9
		put(t, store, mustSet(t, s.issue()))
		time.Sleep(49 * time.Hour)
		want(t, source, "A10")
		if fmt.Sprint(s.sent) != "[R0 R9]" {
			t.Errorf("sent %v, want the refresh token of the login", s.sent)
		}
	})
}

// Two sources stand for two processes.
func TestTwoSourcesOneRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, first := loggedIn(t, nil)
		second, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: store, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		token := want(t, first, "A0")
		want(t, second, "A0")
		time.Sleep(49 * time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { want(t, first, "A1") })
		wg.Go(func() { want(t, second, "A1") })
		wg.Wait()
		if next, err := second.Renew(t.Context(), token); err != nil || next.AccessToken != "A1" || s.count() != 1 {
			t.Errorf("a late rejection of the old token gave %v, %v, %d refreshes", next, err, s.count())
		}
		token = want(t, first, "A1") // now both are answered 401
		for _, source := range []*tokens.Refreshing{first, second} {
			wg.Go(func() {
				if next, err := source.Renew(t.Context(), token); err != nil || next.AccessToken != "A2" {
					t.Errorf("got %v, %v", next, err)
				}
			})
		}
		wg.Wait()
		if s.count() != 2 {
			t.Errorf("%d refreshes, want 2", s.count())
		}
	})
}

func TestGrant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		grants := 0
		grant := func(context.Context) (tokens.Set, error) {
			grants++
			return tokens.NewSet(
				tokens.Token{AccessToken: fmt.Sprintf("G%d", grants), ResourceServer: transfer, Expiry: time.Now().Add(time.Hour), Lifetime: time.Hour},
				tokens.Token{AccessToken: "also", ResourceServer: "also"},
			)
		}
		store := tokens.NewMemory()
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: store, Key: testKey(), ResourceServer: transfer, Grant: grant})
		if err != nil {
			t.Fatal(err)
		}
		token := want(t, source, "G1") // although nothing is stored
		time.Sleep(59 * time.Minute)
		want(t, source, "G2")
		if _, err := source.Renew(t.Context(), token); err != nil || grants != 2 {
			t.Errorf("%d grants, %v", grants, err)
		}
		set, err := store.Load(t.Context(), testKey())
		if _, found := set.ByResourceServer("also"); err != nil || !found {
			t.Errorf("the other token of the answer was not stored: %v", err)
		}
	})
}

func TestGrantAfterTheRefreshTokenDied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		grants := 0
		s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Grant = func(context.Context) (tokens.Set, error) {
				grants++
				return tokens.NewSet(tokens.Token{
					AccessToken: fmt.Sprintf("G%d", grants), ResourceServer: transfer, Expiry: time.Now().Add(time.Hour), Lifetime: time.Hour,
				})
			}
		})
		s.refresh = "revoked"
		time.Sleep(49 * time.Hour)
		want(t, source, "G1")
		if got := stored(t, store); got.RefreshToken != "" {
			t.Errorf("the dead refresh token was kept: %q", got.RefreshToken)
		}
		time.Sleep(time.Hour)
		want(t, source, "G2")
		if s.count() != 1 {
			t.Errorf("the dead refresh token was sent %d times", s.count())
		}
	})
}

func TestAnswerWithoutTheTokenIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Refresh = func(context.Context, tokens.Token) (tokens.Set, error) {
				return tokens.NewSet(tokens.Token{AccessToken: "x", ResourceServer: "somebody else"})
			}
		})
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "no token for this resource server") {
			t.Fatalf("error %v", err)
		}
		if got := stored(t, store); got.AccessToken != "A0" {
			t.Errorf("stored %v", got)
		}
	})
}

func TestOnChangeMayUseTheSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var source *tokens.Refreshing
		var told tokens.Token
		_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.OnChange = func(token tokens.Token) {
				if told.AccessToken != "" {
					return
				}
				told = token
				want(t, source, "A1")
				if next, err := source.Renew(t.Context(), token); err != nil || next.AccessToken != "A2" {
					t.Errorf("Renew gave %v, %v", next, err)
				}
			}
		})
		time.Sleep(49 * time.Hour)
		want(t, source, "A1")
		if told.AccessToken != "A1" || stored(t, store).AccessToken != "A2" {
			t.Errorf("told %v, stored %v", told, stored(t, store))
		}
	})
}

func TestClockThatJumps(t *testing.T) {
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
		want(t, source, "A1")
		s.calls = 5
		put(t, store, mustSet(t, s.issue()))
		shift.Store(int64(-2000 * time.Hour))
		want(t, source, "A5") // memory from the future is not trusted for long
	})
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if s.count() != 0 {
			t.Errorf("%d refreshes", s.count())
		}
	})
}

func TestNewRefreshingRefuses(t *testing.T) {
	t.Parallel()
	good := tokens.RefreshingConfig{
		Store: tokens.NewMemory(), Key: testKey(), ResourceServer: transfer,
		Grant: func(context.Context) (tokens.Set, error) { return tokens.Set{}, nil },
	}
	for want, change := range map[string]func(*tokens.RefreshingConfig){
		"Store is nil":               func(c *tokens.RefreshingConfig) { c.Store = nil },
		"ResourceServer is empty":    func(c *tokens.RefreshingConfig) { c.ResourceServer = "" },
		"Refresh and Grant are nil":  func(c *tokens.RefreshingConfig) { c.Grant = nil },
		"Timeout is negative":        func(c *tokens.RefreshingConfig) { c.Timeout = -1 },
		"Recheck is negative":        func(c *tokens.RefreshingConfig) { c.Recheck = -1 },
		"the client ID is empty":     func(c *tokens.RefreshingConfig) { c.Key.ClientID = "" },
		"the environment \"../../\"": func(c *tokens.RefreshingConfig) { c.Key.Environment = "../../" },
	} {
		config := good
		change(&config)
		if _, err := tokens.NewRefreshing(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestPrintedSourceHoldsNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := tokens.NewMemory()
		token := fullToken()
		token.Expiry = time.Now().Add(time.Hour)
		put(t, store, mustSet(t, token))
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: store, Key: testKey(), ResourceServer: transfer,
			Refresh: func(context.Context, tokens.Token) (tokens.Set, error) {
				return tokens.Set{}, &apierror.Error{Code: "invalid_grant"}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		first, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held := struct {
			source *tokens.Refreshing
			store  *tokens.Memory
		}{source, store}
		verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"}
		for _, verb := range verbs {
			check(t, "source "+verb, fmt.Sprintf(verb, source))
			check(t, "store "+verb, fmt.Sprintf(verb, store))
			check(t, "holder "+verb, fmt.Sprintf(verb, held))
		}
		_, err = source.Renew(t.Context(), first)
		if err == nil {
			t.Fatal("the refused refresh gave a token")
		}
		check(t, "error", err.Error())
		for _, verb := range verbs {
			check(t, "refused source "+verb, fmt.Sprintf(verb, source))
		}
	})
}
