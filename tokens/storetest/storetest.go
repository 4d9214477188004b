package storetest

import (
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
	one := func(t *testing.T) []tokens.Store { t.Helper(); return []tokens.Store{open(t)} }
	run(t, one, map[string]func(*twin){
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
	})
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
	both := func(t *testing.T) []tokens.Store {
		t.Helper()
		a, b := open(t)
		return []tokens.Store{a, b}
	}
	run(t, both, map[string]func(*twin){
		"one sees what the other stored":         seesTheOther,
		"updates take turns":                     takeTurns,
		"updates of different keys lose nothing": differentKeys,
		"waiting ends with the context":          waitingEnds,
		"reads are whole":                        readsAreWhole,
	})
}

func run(t *testing.T, open func(t *testing.T) []tokens.Store, parts map[string]func(*twin)) {
	t.Helper()
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(&twin{T: t, stores: open(t), want: map[tokens.Key]tokens.Set{}})
		})
	}
}
