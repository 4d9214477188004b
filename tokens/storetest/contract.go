package storetest

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

func nothingStored(t *testing.T, store tokens.Store) {
	t.Helper()
	holds(t, store, aKey(), tokens.Set{})
	keys(t, store)
	remove(t, store, aKey())
	got, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
		if !current.Equal(tokens.Set{}) {
			t.Errorf("Update got %v of nothing", current)
		}
		return current, nil
	})
	if err != nil || !got.Equal(tokens.Set{}) {
		t.Errorf("Update of nothing to nothing: %v, %v", got, err)
	}
	keys(t, store)
}

// fullToken is a token with a value in every field, so that a store cannot forget a
// new one.
func fullToken(t *testing.T) tokens.Token {
	t.Helper()
	full := tokens.Token{}
	for field, value := range reflect.ValueOf(&full).Elem().Fields() {
		switch value.Interface().(type) {
		case string:
			value.SetString("value-" + field.Name)
		case time.Time:
			value.Set(reflect.ValueOf(time.Unix(1700000000, 0)))
		case time.Duration:
			value.Set(reflect.ValueOf(time.Hour))
		default:
			t.Fatalf("no sample for the field %s", field.Name)
		}
	}
	return full
}

// everyField: a field is kept, and one that is cleared does not survive.
func everyField(t *testing.T, store tokens.Store) {
	t.Helper()
	full := fullToken(t)
	set := must(tokens.NewSet(full, tokens.Token{AccessToken: "least", ResourceServer: "least"}))
	put(t, store, aKey(), set)
	put(t, store, aKey(), set.Without(full.ResourceServer))
	for i := range reflect.TypeFor[tokens.Token]().NumField() {
		cleared := full
		reflect.ValueOf(&cleared).Elem().Field(i).SetZero()
		if set, err := tokens.NewSet(cleared); err == nil { // else a token must have the field
			put(t, store, aKey(), must(tokens.NewSet(full)))
			put(t, store, aKey(), set)
		}
	}
}

func update(t *testing.T, store tokens.Store) {
	t.Helper()
	put(t, store, aKey(), one("A"))
	calls := 0
	got, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
		calls++
		if !current.Equal(one("A")) {
			t.Errorf("current is %v", current)
		}
		return one("B"), nil
	})
	if err != nil || !got.Equal(one("B")) || calls != 1 {
		t.Errorf("Update: %v, %v after %d calls of fn", got, err, calls)
	}
	holds(t, store, aKey(), one("B"))
	put(t, store, aKey(), one("B"))
	put(t, store, aKey(), tokens.Set{})
	keys(t, store)
}

func updateFails(t *testing.T, store tokens.Store) {
	t.Helper()
	put(t, store, aKey(), one("A"))
	cause := errors.New("on purpose")
	update := func(fn change) (err error) {
		defer func() {
			if panicked, ok := recover().(error); ok {
				err = panicked
			}
		}()
		_, err = store.Update(t.Context(), aKey(), fn)
		return err
	}
	for _, fn := range []change{
		func(tokens.Set) (tokens.Set, error) { return one("B"), cause },
		func(tokens.Set) (tokens.Set, error) { panic(cause) },
	} {
		if err := update(fn); !errors.Is(err, cause) {
			t.Errorf("Update ended with %v, want the error or panic of fn", err)
		}
		holds(t, store, aKey(), one("A"))
	}
	put(t, store, aKey(), one("C")) // it can be locked again
}

func turns(t *testing.T, a, b tokens.Store) {
	t.Helper()
	const goroutines, rounds = 8, 5
	var running atomic.Int32
	var wg sync.WaitGroup
	for i := range goroutines {
		store := []tokens.Store{a, b}[i%2]
		wg.Go(func() {
			for range rounds {
				_, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
					if running.Add(1) != 1 {
						t.Error("two updates of one key at a time")
					}
					defer running.Add(-1)
					for range 100 {
						runtime.Gosched() // let another update break in
					}
					return next(current)
				})
				if err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	holds(t, a, aKey(), one(strconv.Itoa(goroutines*rounds)))
}

// waitFor tries an update in one store during one in another.
func waitFor(t *testing.T, holder, waiter tokens.Store) {
	t.Helper()
	var wg sync.WaitGroup
	_, err := holder.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
		tried := make(chan struct{})
		wg.Go(func() {
			defer close(tried)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := waiter.Update(ctx, aKey(), refused(t)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting Update: %v, want the context's error", err)
			}
			if err := waiter.Delete(ctx, aKey()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting Delete: %v, want the context's error", err)
			}
		})
		select {
		case <-tried:
		case <-time.After(patience):
			t.Error("Update or Delete waits although its context has ended")
		}
		return one("B"), nil
	})
	wg.Wait()
	if err != nil {
		t.Errorf("Update: %v", err)
	}
	holds(t, waiter, aKey(), one("B"))
	put(t, waiter, aKey(), one("C"))
}

func contextEndsDuring(t *testing.T, store tokens.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := store.Update(ctx, aKey(), func(tokens.Set) (tokens.Set, error) {
		cancel()
		return one("A"), nil
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
	holds(t, store, aKey(), one("A"))
	_, updateErr := store.Update(ctx, aKey(), refused(t))
	_, loadErr := store.Load(ctx, aKey())
	_, keysErr := store.Keys(ctx)
	for _, err := range []error{updateErr, loadErr, keysErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the error of the context that has ended", err)
		}
	}
}

func loadDoesNotWait(t *testing.T, store tokens.Store) {
	t.Helper()
	put(t, store, aKey(), one("A"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := store.Update(ctx, aKey(), func(current tokens.Set) (tokens.Set, error) {
		got, err := store.Load(ctx, aKey())
		if err != nil || !got.Equal(one("A")) {
			t.Errorf("Load during an update: %v, %v; want the state before", got, err)
		}
		if _, err := store.Keys(ctx); err != nil {
			t.Errorf("Keys during an update: %v", err)
		}
		return current, nil
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
}

func readsAreWhole(t *testing.T, a, b tokens.Store) {
	t.Helper()
	pair := func(n int) tokens.Set {
		text := strings.Repeat(strconv.Itoa(n%10), 1000)
		return must(tokens.NewSet(
			tokens.Token{AccessToken: text, ResourceServer: "first"},
			tokens.Token{AccessToken: text, ResourceServer: "second"},
		))
	}
	put(t, a, aKey(), pair(0))
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !done.Load() {
				set, err := b.Load(t.Context(), aKey())
				first, _ := set.ByResourceServer("first")
				second, _ := set.ByResourceServer("second")
				if err != nil || first.AccessToken == "" || first.AccessToken != second.AccessToken {
					t.Errorf("a read during updates gave %v, %v", set, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		put(t, a, aKey(), pair(i))
	}
	done.Store(true)
	wg.Wait()
}

func deletes(t *testing.T, store tokens.Store) {
	t.Helper()
	put(t, store, aKey(), one("A"))
	put(t, store, otherKey(), one("B"))
	remove(t, store, aKey())
	holds(t, store, otherKey(), one("B"))
	put(t, store, aKey(), one("C"))
}

func deleteTakesTurn(t *testing.T, store tokens.Store) {
	t.Helper()
	deleted := make(chan error, 1)
	_, err := store.Update(t.Context(), aKey(), func(tokens.Set) (tokens.Set, error) {
		go func() { deleted <- store.Delete(t.Context(), aKey()) }()
		return one("A"), nil
	})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	if err := <-deleted; err != nil {
		t.Fatalf("Delete: %v", err)
	}
	holds(t, store, aKey(), tokens.Set{}) // it came last
}
