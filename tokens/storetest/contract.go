package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

func changes(w *twin) {
	w.holds(aKey(), tokens.Set{})
	w.remove(aKey())
	for _, set := range []tokens.Set{{}, one("A"), one("B"), one("B"), {}, one("C"), one("D")} {
		w.put(aKey(), set)
	}
	w.put(otherKey(), one("E"))
	w.remove(aKey())
	w.remove(aKey())
	w.put(aKey(), one("F"))
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

func contextEnds(w *twin) {
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
	w.end(context.Canceled, updateErr, loadErr, keysErr)
}

// othersWait tries during an update what waits for it, until it ends or the context does, and what does not.
func othersWait(w *twin) {
	w.put(aKey(), one("A"))
	deleted := make(chan error, 1)
	_, err := w.stores[0].Update(w.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
		tried := make(chan struct{})
		go func() {
			defer close(tried)
			for _, store := range w.stores {
				if got, err := store.Load(w.Context(), aKey()); err != nil || !got.Equal(one("A")) {
					w.Errorf("Load during an update: %v, %v; want the state before", got, err)
				}
				if _, err := store.Keys(w.Context()); err != nil {
					w.Errorf("Keys during an update: %v", err)
				}
				for _, change := range []func(context.Context) error{
					func(ctx context.Context) error { _, err := store.Update(ctx, aKey(), w.refused); return err },
					func(ctx context.Context) error { return store.Delete(ctx, aKey()) },
				} {
					ctx, cancel := context.WithTimeout(w.Context(), 50*time.Millisecond)
					w.end(context.DeadlineExceeded, change(ctx))
					cancel()
				}
			}
		}()
		select {
		case <-tried:
		case <-time.After(patience):
			w.Error("Load or Keys wait for an update, or Update or Delete although their context has ended")
		}
		go func() { <-tried; deleted <- w.stores[1].Delete(w.Context(), aKey()) }()
		return one("B"), nil
	})
	if err := errors.Join(err, <-deleted); err != nil {
		w.Errorf("Update or Delete: %v", err)
	}
	w.holds(aKey(), tokens.Set{}) // Delete came last
	w.put(aKey(), one("C"))
}

// countTogether counts under a key in each store, by many updates at once. No update is lost, and what is read meanwhile is whole.
func countTogether(w *twin, keys ...tokens.Key) {
	const goroutines, rounds = 4, 5
	var running sync.Map
	var done atomic.Bool
	var updates, reads sync.WaitGroup
	for i, key := range keys {
		for range goroutines {
			updates.Go(func() {
				for range rounds {
					_, err := w.stores[i].Update(w.Context(), key, func(current tokens.Set) (tokens.Set, error) {
						if _, other := running.LoadOrStore(key, true); other {
							w.Error("two updates of one key at a time")
						}
						defer running.Delete(key)
						for range 100 {
							runtime.Gosched() // let another update break in
						}
						return number(w.number(current) + 1), nil
					})
					if err != nil {
						w.Errorf("Update: %v", err)
					}
				}
			})
		}
		reads.Go(func() {
			for !done.Load() {
				set, err := w.stores[1-i].Load(w.Context(), key)
				if err != nil {
					w.Errorf("Load during updates: %v", err)
				}
				w.number(set)
			}
		})
	}
	updates.Wait()
	done.Store(true)
	reads.Wait()
	sum := map[tokens.Key]int{}
	for _, key := range keys {
		sum[key] += goroutines * rounds
		w.want[must(key.Normal())] = number(sum[key])
	}
	w.holds(keys[0], number(sum[keys[0]]))
}

// number is a set of two tokens that hold a number, with a thousand digits.
func number(n int) tokens.Set {
	digits := fmt.Sprintf("%01000d", n)
	return must(tokens.NewSet(
		tokens.Token{AccessToken: digits, ResourceServer: "first"},
		tokens.Token{AccessToken: digits, ResourceServer: "second"},
	))
}

// number returns the number in a set, zero for an empty one.
func (w *twin) number(set tokens.Set) int {
	first, _ := set.ByResourceServer("first")
	n, _ := strconv.Atoi(first.AccessToken)
	if n > 0 && !set.Equal(number(n)) || n == 0 && !set.Equal(tokens.Set{}) {
		w.Errorf("a set that was never stored: %v", set)
	}
	return n
}
