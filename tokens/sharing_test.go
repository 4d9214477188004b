package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/tokens"
)

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

func TestRefreshingToken_ThousandGoroutines(t *testing.T) {
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

func TestRefreshingToken_OtherCallersGiveUp(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"before the service is asked", "while it responds"} {
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

// The caller that began a renewal gives up; another one still waits.
func TestRefreshingToken_FirstCallerGivesUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		locked bool                              // the first gives up before the service is asked
		store  func(*tokens.Memory) tokens.Store // nil means the Memory
		fail   error
		want   string // the other caller's token
	}{
		{name: "before the service is asked", locked: true, want: "A1"},
		{name: "and the store does not notice", locked: true, want: "A1", store: func(m *tokens.Memory) tokens.Store { return deafStore{m} }},
		{name: "while it responds", want: "A1"},
		{name: "while it fails", fail: errors.New("service unavailable"), want: "A0"},
		{name: "while another program is faster", want: "A7", store: func(m *tokens.Memory) tokens.Store { return &foreignWriter{Memory: m} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				unblock := make(chan struct{})
				s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
					if memory, ok := c.Store.(*tokens.Memory); ok && test.store != nil {
						c.Store = test.store(memory)
					}
					if foreign, ok := c.Store.(*foreignWriter); ok {
						foreign.next = mustSet(t, tokens.Token{AccessToken: "A7", RefreshToken: "R7", ResourceServer: transfer})
					}
				})
				if test.want == "A7" {
					s.refresh = "R7"
				}
				s.fail(test.fail)
				time.Sleep(48*time.Hour - 30*time.Second) // due, still accepted
				if test.locked {
					go holdUpdate(t, store, func() { <-unblock })
				}
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				var both sync.WaitGroup
				both.Go(func() {
					if token, err := source.Token(ctx); !errors.Is(err, context.Canceled) {
						t.Errorf("the first got %v, %v", token, err)
					}
				})
				synctest.Wait()
				both.Go(func() {
					want(t, source, test.want)
				})
				synctest.Wait()
				cancel()
				synctest.Wait()
				close(unblock)
				both.Wait()
				if s.count() != 1 {
					t.Errorf("%d refreshes, want 1", s.count())
				}
			})
		})
	}
}

// deafStore waits for the lock longer than its caller does.
type deafStore struct{ *tokens.Memory }

func (d deafStore) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	return d.Memory.Update(context.WithoutCancel(ctx), key, fn)
}

func TestRefreshingToken_CallerGivesUpAfterSending(t *testing.T) {
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
			t.Errorf("stored %q after %d refreshes: the response was lost", got.RefreshToken, s.count())
		}
		want(t, source, "A1")
	})
}

func TestRefreshingToken_AllCallersGiveUpBeforeSending(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
				if memory, ok := c.Store.(*tokens.Memory); ok && deaf {
					c.Store = deafStore{memory}
				}
			})
			s.delay = 0
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
				t.Errorf("deaf %v: %d refreshes without a caller", deaf, s.count())
			}
			want(t, source, "A1")
		})
	}
}

func TestRefreshingToken_TimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		s.delay = time.Hour
		time.Sleep(49 * time.Hour)
		start := time.Now()
		_, err := source.Token(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

func TestRefreshingRenew_OncePerRejectedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		first := want(t, source, "A0")
		var wg sync.WaitGroup
		for range 100 { // all got status 401 with the same token
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

func TestRefreshingRenew_NeverReturnsTheRejectedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, source := loggedIn(t, nil)
		first := want(t, source, "A0")
		s.fail(errors.New("service unavailable"))
		if token, err := source.Renew(t.Context(), first); !errors.Is(err, s.err) {
			t.Errorf("got %v, %v", token, err)
		}
	})
}

func TestRefreshingRenew_WhileTheStoreIsRead(t *testing.T) {
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

func TestRefreshingToken_ChangedByAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		s, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.OnChange = func(_ context.Context, token tokens.Token) error {
				changes = append(changes, token.AccessToken)
				return nil
			}
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

func TestRefreshingToken_LogoutWhileDue(t *testing.T) {
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

func TestRefreshingForget_AfterALogout(t *testing.T) {
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

func TestRefreshingForget_DuringARenewal(t *testing.T) {
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

// Two sources stand for two processes.
func TestRefreshingToken_TwoSources(t *testing.T) {
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
		token = want(t, first, "A1") // now both get status 401
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

func TestRefreshingToken_CancelledContext(t *testing.T) {
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

func TestRefreshingWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		if err := source.Wait(t.Context()); err != nil {
			t.Fatalf("nothing is in flight: %v", err)
		}
		time.Sleep(49 * time.Hour)
		interrupted, interrupt := context.WithCancel(t.Context())
		go func() { _, _ = source.Token(interrupted) }()
		synctest.Wait()
		interrupt() // as by Ctrl-C: the request was sent
		hurry, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := source.Wait(hurry); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait that had no time: %v", err)
		}
		source.Forget() // does not make it forget what was sent
		if err := source.Wait(t.Context()); err != nil || s.count() != 1 || stored(t, store).RefreshToken != "R1" {
			t.Errorf("%v after %d refreshes, stored %v", err, s.count(), stored(t, store))
		}
	})
}

// Forget does not cut off a renewal in flight: the next one waits for it, also with a store that knows no lock.
func TestRefreshingWait_AfterForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, begun, ended atomic.Int64
		_, store, _ := loggedIn(t, nil)
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: lockless{store}, Key: testKey(), ResourceServer: transfer,
			Refresh: func(context.Context, tokens.Token) (tokens.Set, error) {
				if running.Add(1) > 1 {
					t.Error("two renewals at once")
				}
				begun.Add(1)
				time.Sleep(time.Minute - time.Second)
				running.Add(-1)
				ended.Add(1)
				return tokens.Set{}, errors.New("no")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		for range 3 {
			go func() { _, _ = source.Token(t.Context()) }()
			synctest.Wait()
			source.Forget()
		}
		// The second begins another, which the third joins.
		if err := source.Wait(t.Context()); err != nil || begun.Load() != 2 || ended.Load() != 2 {
			t.Errorf("%v; %d of %d renewals have ended", err, ended.Load(), begun.Load())
		}
	})
}

// lockless updates without the lock that a store must have.
type lockless struct{ *tokens.Memory }

func (l lockless) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	current, err := l.Load(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	return fn(current)
}

func TestRefreshingForget_DuringAFailingRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, source := loggedIn(t, nil)
		s.fail(errors.New("no"))
		time.Sleep(48*time.Hour - 30*time.Second) // due, still accepted
		go func() { _, _ = source.Token(t.Context()) }()
		synctest.Wait()
		source.Forget()
		if err := source.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := store.Delete(t.Context(), testKey()); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Fatalf("error %v: the failed renewal put back what was forgotten", err)
		}
	})
}

// unstored returns a source whose first response, "G1", could not be stored, and its store, which works again.
func unstored(t *testing.T) (*tokens.Refreshing, *faultyStore) {
	t.Helper()
	grants := 0
	faulty := &faultyStore{Memory: tokens.NewMemory(), save: errors.New("no space left")}
	source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
		Store: faulty, Key: testKey(), ResourceServer: transfer,
		Grant: func(context.Context) (tokens.Set, error) {
			grants++
			return tokens.NewSet(tokens.Token{AccessToken: fmt.Sprintf("G%d", grants), ResourceServer: transfer})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context()); !errors.Is(err, faulty.save) {
		t.Fatalf("error %v", err)
	}
	faulty.save = nil
	return source, faulty
}

func TestRefreshingForget_UnstoredResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, _ := unstored(t)
		source.Forget() // a logout has revoked what it knew of
		want(t, source, "G2")
	})
}

// A service that returns the same access token again is asked once for all who bring it back.
func TestRefreshingRenew_TheSameTokenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		_, _, source := loggedIn(t, func(c *tokens.RefreshingConfig) {
			c.Refresh = func(_ context.Context, current tokens.Token) (tokens.Set, error) {
				calls.Add(1)
				time.Sleep(time.Second)
				return mustSet(t, current), nil
			}
		})
		first := want(t, source, "A0")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if token, err := source.Renew(t.Context(), first); err != nil || token != first {
					t.Errorf("got %v, %v", token, err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d refreshes", calls.Load())
		}
	})
}

// A caller that comes late with a rejected token gets the next one out of memory.
func TestRefreshingRenew_LateWithoutTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, store, _ := loggedIn(t, nil)
		faulty := &faultyStore{Memory: store}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{Store: faulty, Key: testKey(), ResourceServer: transfer, Refresh: s.Refresh})
		if err != nil {
			t.Fatal(err)
		}
		first := want(t, source, "A0")
		time.Sleep(49 * time.Hour)
		want(t, source, "A1")
		faulty.load = errors.New("damaged")
		if token, err := source.Renew(t.Context(), first); err != nil || token.AccessToken != "A1" {
			t.Errorf("got %v, %v", token, err)
		}
	})
}

// A response that was stored in the end is not stored again after another process has logged out.
func TestRefreshingToken_StoredAtLastIsNotPutBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, faulty := unstored(t)
		want(t, source, "G1")
		if err := faulty.Delete(t.Context(), testKey()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		want(t, source, "G2")
	})
}

// A store that does not respond after a refusal holds up no later caller.
func TestRefreshingToken_StoreHangsAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, _ := loggedIn(t, nil)
		hanging := &hangingStore{Memory: store, after: 1}
		source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
			Store: hanging, Key: testKey(), ResourceServer: transfer,
			Refresh: func(context.Context, tokens.Token) (tokens.Set, error) { return tokens.Set{}, apierror.ErrInvalidGrant },
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		if _, err := source.Token(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		hanging.after = 1000
		if _, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
	})
}

// hangingStore does not respond to Load after a number of calls.
type hangingStore struct {
	*tokens.Memory

	after int
}

func (s *hangingStore) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	if s.after--; s.after < 0 {
		<-ctx.Done()
		return tokens.Set{}, ctx.Err()
	}
	return s.Memory.Load(ctx, key)
}
