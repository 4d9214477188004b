package storetest

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// patience is how long a step may take that needs no waiting. It is real time, because a
// store may use a file system or a network.
const patience = 3 * time.Second

// Run tests stores that open creates, a new one for each parallel subtest.
func Run(t *testing.T, open func(t *testing.T) tokens.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, tokens.Store){
		"nothing stored":                nothingStored,
		"every field":                   everyField,
		"update":                        update,
		"update fails":                  updateFails,
		"context ends during an update": contextEndsDuring,
		"load does not wait":            loadDoesNotWait,
		"delete":                        deletes,
		"delete takes its turn":         deleteTakesTurn,
		"keys are apart":                keysApart,
		"odd namespaces":                oddNamespaces,
		"bad keys":                      badKeys,
		"odd values":                    oddValues,
		"big sets":                      bigSets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		RunShared(t, func(t *testing.T) (a, b tokens.Store) {
			t.Helper()
			store := open(t)
			return store, store
		})
	})
}

// RunShared tests the promises between two stores that share their tokens, as two
// processes do. open returns both.
func RunShared(t *testing.T, open func(t *testing.T) (a, b tokens.Store)) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, a, b tokens.Store){
		"one sees what the other stored":         seesTheOther,
		"updates take turns":                     turns,
		"updates of different keys lose nothing": differentKeys,
		"waiting ends with the context":          waitFor,
		"reads are whole":                        readsAreWhole,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			test(t, a, b)
		})
	}
}

func aKey() tokens.Key { return tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"} }

func otherKey() tokens.Key { return tokens.Key{ClientID: aKey().ClientID, Namespace: "other"} }

// one is a set of one token.
func one(access string) tokens.Set {
	return must(tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs", Scope: "s", Expiry: time.Unix(1700000000, 0)}))
}

func must(set tokens.Set, err error) tokens.Set {
	if err != nil {
		panic(err)
	}
	return set
}

// change is what an update does.
type change = func(tokens.Set) (tokens.Set, error)

func to(set tokens.Set) change { return func(tokens.Set) (tokens.Set, error) { return set, nil } }

// next counts in the access token.
func next(current tokens.Set) (tokens.Set, error) {
	token, found := current.ByResourceServer("rs")
	if !found {
		return one("1"), nil
	}
	n, err := strconv.Atoi(token.AccessToken)
	return one(strconv.Itoa(n + 1)), err
}

// refused is a change that must not be made.
func refused(t *testing.T) change {
	t.Helper()
	return func(current tokens.Set) (tokens.Set, error) {
		t.Error("fn was called")
		return current, nil
	}
}

// put stores a set, and checks that it is stored.
func put(t *testing.T, store tokens.Store, key tokens.Key, set tokens.Set) {
	t.Helper()
	got, err := store.Update(t.Context(), key, to(set))
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	if !got.Equal(set) {
		t.Errorf("Update returned %v, want what was stored", got)
	}
	holds(t, store, key, set)
}

func holds(t *testing.T, store tokens.Store, key tokens.Key, want tokens.Set) {
	t.Helper()
	got, err := store.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if !got.Equal(want) {
		t.Errorf("%+v holds %v, want %v", key, got, want)
	}
}

func remove(t *testing.T, store tokens.Store, key tokens.Key) {
	t.Helper()
	if err := store.Delete(t.Context(), key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	holds(t, store, key, tokens.Set{})
}

func keys(t *testing.T, store tokens.Store, want ...tokens.Key) {
	t.Helper()
	got, err := store.Keys(t.Context())
	if err != nil {
		t.Fatalf("Keys: %v", err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Keys are %+v, want %+v", got, want)
	}
}

func seesTheOther(t *testing.T, a, b tokens.Store) {
	t.Helper()
	put(t, a, aKey(), one("A"))
	holds(t, b, aKey(), one("A"))
	put(t, b, aKey(), one("B"))
	holds(t, a, aKey(), one("B"))
	remove(t, a, aKey())
	holds(t, b, aKey(), tokens.Set{})
}

func differentKeys(t *testing.T, a, b tokens.Store) {
	t.Helper()
	const rounds = 10
	var wg sync.WaitGroup
	for key, store := range map[tokens.Key]tokens.Store{aKey(): a, otherKey(): b} {
		wg.Go(func() {
			for range rounds {
				if _, err := store.Update(t.Context(), key, next); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	holds(t, b, aKey(), one(strconv.Itoa(rounds)))
	holds(t, a, otherKey(), one(strconv.Itoa(rounds)))
}
