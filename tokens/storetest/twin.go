package storetest

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// twin is the stores of a test, which share their tokens, and beside them what they should hold.
type twin struct {
	*testing.T

	stores []tokens.Store
	want   map[tokens.Key]tokens.Set // none is empty
	writes int
}

// next returns the stores in turns.
func (w *twin) next() tokens.Store {
	w.writes++
	return w.stores[w.writes%len(w.stores)]
}

// put stores a set, an empty one to remove the key, and checks what is stored then.
func (w *twin) put(key tokens.Key, set tokens.Set) {
	w.Helper()
	calls := 0
	got, err := w.next().Update(w.Context(), key, func(current tokens.Set) (tokens.Set, error) {
		calls++
		if want := w.want[must(key.Normal())]; !current.Equal(want) {
			w.Errorf("Update got %v, want %v", current, want)
		}
		return set, nil
	})
	if err != nil {
		w.Fatalf("Update: %v", err)
	}
	if !got.Equal(set) || calls != 1 {
		w.Errorf("Update returned %v after %d calls of fn, want what was stored", got, calls)
	}
	w.holds(key, set)
}

func (w *twin) remove(key tokens.Key) {
	w.Helper()
	if err := w.next().Delete(w.Context(), key); err != nil {
		w.Fatalf("Delete: %v", err)
	}
	w.holds(key, tokens.Set{})
}

// holds checks that every store holds a set under a key, and under the others what was stored before.
func (w *twin) holds(key tokens.Key, set tokens.Set) {
	w.Helper()
	w.want[must(key.Normal())] = set
	for _, store := range w.stores {
		for key, want := range w.want {
			if got, err := store.Load(w.Context(), key); err != nil {
				w.Fatalf("Load: %v", err)
			} else if !got.Equal(want) {
				w.Errorf("%+v holds %v, want %v", key, got, want)
			}
		}
	}
	if set.Equal(tokens.Set{}) {
		delete(w.want, must(key.Normal()))
	}
	want := slices.SortedFunc(maps.Keys(w.want), tokens.Key.Compare)
	for _, store := range w.stores {
		if got, err := store.Keys(w.Context()); err != nil {
			w.Fatalf("Keys: %v", err)
		} else if !slices.Equal(got, want) {
			w.Errorf("Keys are %+v, want %+v", got, want)
		}
	}
}

func aKey() tokens.Key { return tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"} }

func otherKey() tokens.Key { return tokens.Key{ClientID: aKey().ClientID, Namespace: "other"} }

// one is a set of one token.
func one(access string) tokens.Set {
	return must(tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs", Scope: "s", Expiry: time.Unix(1700000000, 0)}))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// refused is a change that must not be made.
func (w *twin) refused(current tokens.Set) (tokens.Set, error) {
	w.Error("fn was called")
	return current, nil
}

// end checks that calls ended with the error of their context.
func (w *twin) end(want error, errs ...error) {
	w.Helper()
	for _, err := range errs {
		if !errors.Is(err, want) {
			w.Errorf("%v, want the error of the context that has ended", err)
		}
	}
}
