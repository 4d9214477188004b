package lease_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/lease"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func aKey() tokens.Key {
	return tokens.Key{ClientID: "c", Environment: "production", Namespace: "DEFAULT"}
}

func open(b *memory) *lease.Store { return lease.New(lease.Kind{Package: "test", Backend: b}) }

func one(t *testing.T, access string) tokens.Set {
	t.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs"})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// both is one with a token for another resource server.
func both(t *testing.T, access, elsewhere string) tokens.Set {
	t.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs"}, tokens.Token{AccessToken: elsewhere, ResourceServer: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func put(t *testing.T, store tokens.Store, set tokens.Set) {
	t.Helper()
	if _, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, store tokens.Store, want tokens.Set) {
	t.Helper()
	if got, err := store.Load(t.Context(), aKey()); err != nil || !got.Equal(want) {
		t.Errorf("holds %v, %v, want %v", got, err, want)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) (a, b tokens.Store) {
		backend := newMemory()
		return open(backend), open(backend)
	})
}

// A connection that breaks once, before or after any statement, changes nothing.
func TestStore_ConnectionBreaks(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"load", "acquire", "extend", "commit", "release"} {
		for _, late := range []bool{false, true} {
			t.Run(statement, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					backend := newMemory()
					store := open(backend)
					put(t, store, one(t, "A"))
					var broken atomic.Bool
					fault := func(_ context.Context, sent string) error {
						if sent == statement && !broken.Swap(true) {
							return errCut
						}
						return nil
					}
					if late {
						backend.after = fault
					} else {
						backend.before = fault
					}
					calls := 0
					got, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
						if calls++; !current.Equal(one(t, "A")) {
							t.Errorf("current is %v", current)
						}
						time.Sleep(20 * time.Second) // longer than a lease
						return one(t, "B"), nil
					})
					if err != nil || calls != 1 || !got.Equal(one(t, "B")) {
						t.Errorf("%v, %v, %d calls", got, err, calls)
					}
					holds(t, store, one(t, "B"))
					refused := errors.New("no")
					if _, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) { return tokens.Set{}, refused }); !errors.Is(err, refused) {
						t.Error(err)
					}
					if !broken.Load() {
						t.Error("the fault did not happen")
					}
					if err := store.Delete(t.Context(), aKey()); err != nil { // also where a lease was left
						t.Error(err)
					}
					holds(t, store, tokens.Set{})
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

// A process that is killed blocks others until its lease ends.
func TestStoreUpdate_HolderKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		if _, acquired, err := backend.Acquire(t.Context(), aKey(), "killed", 15*time.Second); !acquired || err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		put(t, open(backend), one(t, "A"))
		if waited := time.Since(begin); waited < 15*time.Second || waited > 16*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// An update that lasts keeps its lease, and others give up after 30 seconds.
func TestStoreUpdate_LongUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		store := open(backend)
		_, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
			for _, other := range []*lease.Store{store, open(backend)} { // in this process and another
				begin := time.Now()
				err := other.Delete(t.Context(), aKey())
				if waited := time.Since(begin); !errors.Is(err, tokens.ErrLocked) || errors.Is(err, context.DeadlineExceeded) || waited != 30*time.Second {
					t.Errorf("%v after %v", err, waited)
				}
			}
			return one(t, "A"), nil
		})
		if err != nil {
			t.Error(err)
		}
		holds(t, store, one(t, "A"))
	})
}

// What an update received is sent to be stored at once, also while the response to an Extend is missing.
func TestStoreUpdate_ExtendSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		store := open(backend)
		var received, sent time.Time
		backend.before = func(_ context.Context, statement string) error {
			switch statement {
			case "extend":
				time.Sleep(5 * time.Second) // a client that does not look at its context while it reads
			case "commit":
				sent = time.Now()
			}
			return nil
		}
		_, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
			time.Sleep(6 * time.Second) // an Extend is sent after 5.75
			received = time.Now()
			return one(t, "A"), nil
		})
		if err != nil || !sent.Equal(received) {
			t.Errorf("stored %v after it was received, %v", sent.Sub(received), err)
		}
		holds(t, store, one(t, "A"))
	})
}

// A lease that is lost while the update runs: a result is stored unless another was.
func TestStoreUpdate_LeaseLost(t *testing.T) {
	t.Parallel()
	refused := errors.New("no")
	for name, test := range map[string]struct {
		other  func(t *testing.T) (tokens.Set, error)
		stored string
	}{
		"another stored a login": {func(t *testing.T) (tokens.Set, error) { t.Helper(); return one(t, "newer"), nil }, "newer"},
		"another logged out":     {func(*testing.T) (tokens.Set, error) { return tokens.Set{}, nil }, ""},
		"another failed":         {func(*testing.T) (tokens.Set, error) { return tokens.Set{}, refused }, "B"},
		"another still runs": {func(t *testing.T) (tokens.Set, error) {
			t.Helper()
			time.Sleep(10 * time.Second)
			return tokens.Set{}, refused
		}, "B"},
		"another still runs, and stores": {func(t *testing.T) (tokens.Set, error) {
			t.Helper()
			time.Sleep(10 * time.Second)
			return one(t, "newer"), nil
		}, "newer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				backend := newMemory()
				store, other := open(backend), open(backend)
				put(t, store, one(t, "A"))
				got, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
					backend.mu.Lock()
					backend.entries[aKey()].until = time.Now() // a pause that this process does not notice
					backend.mu.Unlock()
					entered := make(chan struct{})
					go func() {
						_, _ = other.Update(context.WithoutCancel(t.Context()), aKey(), func(tokens.Set) (tokens.Set, error) {
							close(entered)
							return test.other(t)
						})
					}()
					<-entered
					if !strings.Contains(name, "still runs") {
						time.Sleep(time.Second)
					}
					return one(t, "B"), nil
				})
				if !got.Equal(one(t, "B")) {
					t.Errorf("Update returned %v", got)
				}
				if newer := err != nil && strings.Contains(err.Error(), "is not stored"); newer != !strings.HasPrefix(test.stored, "B") || !newer && err != nil {
					t.Errorf("Update: %v", err)
				}
				want := tokens.Set{}
				switch test.stored {
				case "":
				case "B+E":
					want = both(t, "B", "E")
				default:
					want = one(t, test.stored)
				}
				holds(t, store, want)
				put(t, other, one(t, "C"))
			})
		})
	}
}

// What was received is stored when the database is back within 30 seconds.
func TestStoreUpdate_Outage(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{time.Second, 25 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			backend := newMemory()
			store := open(backend)
			var end time.Time
			backend.before = func(context.Context, string) error {
				if time.Now().Before(end) {
					return errCut
				}
				return nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			begin := time.Now()
			got, err := store.Update(ctx, aKey(), func(tokens.Set) (tokens.Set, error) {
				end = begin.Add(outage)
				cancel()
				return one(t, "A"), nil
			})
			if !got.Equal(one(t, "A")) || (err == nil) != (outage < 30*time.Second) || time.Since(begin) > 31*time.Second {
				t.Errorf("%v: %v, %v after %v", outage, got, err, time.Since(begin))
			}
			if err != nil && (!errors.Is(err, errCut) || !strings.Contains(err.Error(), "stored nowhere")) {
				t.Error(err)
			}
			if err == nil {
				holds(t, store, one(t, "A"))
			}
			time.Sleep(time.Minute) // the lease is released for as long as it would last
		})
	}
}

// A caller that gives up while a statement is on its way leaves no lease.
func TestStoreUpdate_GivesUpDuringAcquire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		ctx, cancel := context.WithCancel(t.Context())
		backend.after = func(_ context.Context, statement string) error {
			if statement == "acquire" && ctx.Err() == nil {
				cancel()
				return ctx.Err()
			}
			return nil
		}
		if err := open(backend).Delete(ctx, aKey()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		begin := time.Now()
		put(t, open(backend), one(t, "A"))
		if time.Since(begin) != 0 {
			t.Errorf("the next update waited %v", time.Since(begin))
		}
	})
}

// A lease whose Acquire was carried out, although its response was lost in an outage, ends soon after the outage.
func TestStoreUpdate_OutageDuringAcquire(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{time.Second, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			backend := newMemory()
			end := time.Now().Add(outage)
			var acquired atomic.Bool
			cut := func(context.Context, string) error {
				if acquired.Swap(true) && time.Now().Before(end) {
					return errCut
				}
				return nil
			}
			backend.before, backend.after = cut, cut
			if err := open(backend).Delete(t.Context(), aKey()); !errors.Is(err, errCut) {
				t.Error(err)
			}
			time.Sleep(time.Until(end))
			put(t, open(backend), one(t, "A"))
			if waited := time.Since(end); waited > outage+time.Second {
				t.Errorf("the next update waited %v", waited)
			}
			time.Sleep(time.Minute) // no goroutine is left
		})
	}
}

func TestStoreUpdate_PermanentError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		store := open(backend)
		forbidden := "commit"
		backend.before = func(_ context.Context, statement string) error {
			if statement == forbidden {
				return errForbidden
			}
			return nil
		}
		begin := time.Now()
		if _, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) { return one(t, "A"), nil }); !errors.Is(err, errForbidden) {
			t.Error(err)
		}
		forbidden = "acquire"
		_, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
			t.Error("fn was called")
			return current, nil
		})
		if !errors.Is(err, errForbidden) || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		synctest.Wait()
		if len(backend.entries) != 0 {
			t.Error("an entry is left")
		}
	})
}

// A connection that was cut without a word does not block its caller.
func TestStore_NoResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		store := open(backend)
		backend.before = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		begin := time.Now()
		_, err := store.Load(t.Context(), aKey())
		if err == nil || errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 16*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if err := store.Delete(ctx, aKey()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		time.Sleep(time.Minute)
	})
}

func TestStoreDelete_Unreadable(t *testing.T) {
	t.Parallel()
	backend := newMemory()
	store := open(backend)
	backend.entries[aKey()] = &entry{data: []byte("SECRET")}
	_, err := store.Load(t.Context(), aKey())
	if !errors.Is(err, tokens.ErrUnreadable) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("Load: %v", err)
	}
	if _, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) { return current, nil }); !errors.Is(err, tokens.ErrUnreadable) {
		t.Errorf("Update: %v", err)
	}
	if err := store.Delete(t.Context(), aKey()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	holds(t, store, tokens.Set{})
}

// Of the updates of one process that wait, one asks the database.
func TestStoreUpdate_WaitingCosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		backend := newMemory()
		holder, store := open(backend), open(backend)
		_, err := holder.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
			for range 100 {
				go func() { _ = store.Delete(context.WithoutCancel(t.Context()), aKey()) }()
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			backend.mu.Lock()
			defer backend.mu.Unlock()
			if sent := backend.sent["acquire"]; sent > 50 {
				t.Errorf("%d statements in 10 seconds", sent)
			}
			return current, nil
		})
		if err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
	})
}
