package storetest

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// patience is how long a step may take that needs no waiting; real time, since a
// store may use a file system or a network.
const patience = 3 * time.Second

// Run tests one store after another, each fresh from open. It runs its parts as
// parallel subtests.
func Run(t *testing.T, open func(t *testing.T) tokens.Store) {
	t.Helper()
	for _, part := range []struct {
		name string
		test func(fresh)
	}{
		{"nothing stored", nothingStored},
		{"every field", everyField},
		{"every field is cleared", everyFieldCleared},
		{"update", update},
		{"update fails", updateFails},
		{"update panics", updatePanics},
		{"updates take turns", takeTurns},
		{"waiting ends with the context", waitingEnds},
		{"context ends during an update", contextEndsDuring},
		{"load does not wait", loadDoesNotWait},
		{"reads are whole", readsAreWhole},
		{"delete", deletes},
		{"delete takes its turn", deleteTakesTurn},
		{"keys are apart", keysApart},
		{"odd namespaces", oddNamespaces},
		{"bad keys", badKeys},
		{"odd values", oddValues},
		{"big sets", bigSets},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(fresh{t, open(t)})
		})
	}
}

// RunShared tests what is promised between two stores that open the same place,
// as two processes do. open returns both.
func RunShared(t *testing.T, open func(t *testing.T) (a, b tokens.Store)) {
	t.Helper()
	t.Run("one sees what the other stored", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		put(t, a, aKey(), one("A"))
		holds(t, b, aKey(), one("A"))
		put(t, b, aKey(), one("B"))
		holds(t, a, aKey(), one("B"))
		if err := a.Delete(t.Context(), aKey()); err != nil {
			t.Fatal(err)
		}
		holds(t, b, aKey(), tokens.Set{})
	})
	t.Run("updates take turns between stores", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		turns(t, a, b)
	})
	t.Run("waiting for the other ends with the context", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		waitFor(t, a, b)
	})
	t.Run("updates of different keys lose nothing", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		const rounds = 10
		other := aKey()
		other.Namespace = "other"
		var wg sync.WaitGroup
		wg.Go(func() { count(t, a, aKey(), rounds) })
		wg.Go(func() { count(t, b, other, rounds) })
		wg.Wait()
		holds(t, b, aKey(), one(strconv.Itoa(rounds)))
		holds(t, a, other, one(strconv.Itoa(rounds)))
	})
}

func aKey() tokens.Key { return tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"} }

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

func put(t *testing.T, store tokens.Store, key tokens.Key, set tokens.Set) {
	t.Helper()
	got, err := store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return set, nil })
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	if !got.Equal(set) {
		t.Errorf("Update returned %v, want what was stored", got)
	}
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
