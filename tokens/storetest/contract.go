package storetest

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

func nothingStored(w *twin) {
	w.holds(aKey(), tokens.Set{})
	w.remove(aKey())
	w.put(aKey(), tokens.Set{})
}

func update(w *twin) {
	for _, access := range []string{"A", "B", "B"} {
		w.put(aKey(), one(access))
	}
	w.put(aKey(), tokens.Set{})
}

func deletes(w *twin) {
	w.put(aKey(), one("A"))
	w.put(otherKey(), one("B"))
	w.remove(aKey())
	w.put(aKey(), one("C"))
}

func updateFails(w *twin) {
	w.put(aKey(), one("A"))
	cause := errors.New("on purpose")
	for _, fn := range []func(tokens.Set) (tokens.Set, error){
		func(tokens.Set) (tokens.Set, error) { return one("B"), cause },
		func(tokens.Set) (tokens.Set, error) { panic(cause) },
	} {
		err := func() (err error) {
			defer func() {
				if panicked, ok := recover().(error); ok {
					err = panicked
				}
			}()
			_, err = w.next().Update(w.Context(), aKey(), fn)
			return err
		}()
		if !errors.Is(err, cause) {
			w.Errorf("Update ended with %v, want the error or panic of fn", err)
		}
		w.holds(aKey(), one("A"))
	}
	w.put(aKey(), one("C")) // it can be locked again
}

// takeTurns and differentKeys: no update is lost.
func takeTurns(w *twin)     { updates(w, aKey(), aKey()) }
func differentKeys(w *twin) { updates(w, aKey(), otherKey()) }

// updates counts under two keys, in both stores at once.
func updates(w *twin, keys ...tokens.Key) {
	const goroutines, rounds = 4, 5 // for each
	var running sync.Map
	sum := map[tokens.Key]int{}
	var wg sync.WaitGroup
	for i, key := range keys {
		sum[key] += goroutines * rounds
		for range goroutines {
			wg.Go(func() {
				for range rounds {
					_, err := w.stores[i].Update(w.Context(), key, func(current tokens.Set) (tokens.Set, error) {
						if _, other := running.LoadOrStore(key, true); other {
							w.Error("two updates of one key at a time")
						}
						defer running.Delete(key)
						for range 100 {
							runtime.Gosched() // let another update break in
						}
						return count(current)
					})
					if err != nil {
						w.Errorf("Update: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	for key, n := range sum {
		w.want[must(key.Normal())] = one(strconv.Itoa(n))
	}
	w.holds(keys[0], one(strconv.Itoa(sum[keys[0]])))
}

// waitingEnds tries an update in one store during one in another.
func waitingEnds(w *twin) {
	holder, waiter := w.next(), w.next()
	var wg sync.WaitGroup
	_, err := holder.Update(w.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
		tried := make(chan struct{})
		wg.Go(func() {
			defer close(tried)
			ctx, cancel := context.WithTimeout(w.Context(), 50*time.Millisecond)
			defer cancel()
			_, updateErr := waiter.Update(ctx, aKey(), w.refused)
			for _, err := range []error{updateErr, waiter.Delete(ctx, aKey())} {
				if !errors.Is(err, context.DeadlineExceeded) {
					w.Errorf("waiting Update or Delete: %v, want the context's error", err)
				}
			}
		})
		select {
		case <-tried:
		case <-time.After(patience):
			w.Error("Update or Delete waits although its context has ended")
		}
		return one("B"), nil
	})
	wg.Wait()
	if err != nil {
		w.Errorf("Update: %v", err)
	}
	w.holds(aKey(), one("B"))
	w.put(aKey(), one("C"))
}

func contextEndsDuring(w *twin) {
	store := w.next()
	ctx, cancel := context.WithCancel(w.Context())
	_, err := store.Update(ctx, aKey(), func(tokens.Set) (tokens.Set, error) {
		cancel()
		return one("A"), nil
	})
	if err != nil {
		w.Errorf("Update: %v", err)
	}
	w.holds(aKey(), one("A"))
	_, updateErr := store.Update(ctx, aKey(), w.refused)
	_, loadErr := store.Load(ctx, aKey())
	_, keysErr := store.Keys(ctx)
	for _, err := range []error{updateErr, loadErr, keysErr} {
		if !errors.Is(err, context.Canceled) {
			w.Errorf("%v, want the error of the context that has ended", err)
		}
	}
}

func loadDoesNotWait(w *twin) {
	w.put(aKey(), one("A"))
	store := w.next()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	_, err := store.Update(ctx, aKey(), func(current tokens.Set) (tokens.Set, error) {
		got, err := store.Load(ctx, aKey())
		if err != nil || !got.Equal(one("A")) {
			w.Errorf("Load during an update: %v, %v; want the state before", got, err)
		}
		if _, err := store.Keys(ctx); err != nil {
			w.Errorf("Keys during an update: %v", err)
		}
		return current, nil
	})
	if err != nil {
		w.Errorf("Update: %v", err)
	}
}

func readsAreWhole(w *twin) {
	pair := func(n int) tokens.Set {
		text := strings.Repeat(strconv.Itoa(n%10), 1000)
		return must(tokens.NewSet(
			tokens.Token{AccessToken: text, ResourceServer: "first"},
			tokens.Token{AccessToken: text, ResourceServer: "second"},
		))
	}
	w.put(aKey(), pair(0))
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !done.Load() {
				set, err := w.stores[1].Load(w.Context(), aKey())
				first, _ := set.ByResourceServer("first")
				second, _ := set.ByResourceServer("second")
				if err != nil || first.AccessToken == "" || first.AccessToken != second.AccessToken {
					w.Errorf("a read during updates gave %v, %v", set, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		w.put(aKey(), pair(i))
	}
	done.Store(true)
	wg.Wait()
}

func deleteTakesTurn(w *twin) {
	store := w.next()
	deleted := make(chan error, 1)
	_, err := store.Update(w.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
		go func() { deleted <- store.Delete(w.Context(), aKey()) }()
		return one("A"), nil
	})
	if err != nil {
		w.Fatalf("Update: %v", err)
	}
	if err := <-deleted; err != nil {
		w.Fatalf("Delete: %v", err)
	}
	w.holds(aKey(), tokens.Set{}) // it came last
}

func seesTheOther(w *twin) {
	w.put(aKey(), one("A"))
	w.put(aKey(), one("B"))
	w.remove(aKey())
	w.remove(aKey())
}
