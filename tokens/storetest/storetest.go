package storetest

import (
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// patience is how long a step may take that needs no waiting. It is real time, because a
// store may use a file system or a network.
const patience = 3 * time.Second

// Run tests two stores that share their tokens, as two processes do. open creates them for
// each parallel subtest. They can be one store, where only one process can use it.
func Run(t *testing.T, open func(t *testing.T) (a, b tokens.Store)) {
	t.Helper()
	for name, part := range map[string]func(*twin){
		"changes":                                changes,
		"values":                                 values,
		"update fails":                           updateFails,
		"context ends during an update":          contextEnds,
		"others wait for an update":              othersWait,
		"updates take turns":                     func(w *twin) { countTogether(w, aKey(), aKey()) },
		"updates of different keys lose nothing": func(w *twin) { countTogether(w, aKey(), otherKey()) },
		"keys":                                   keys,
		"bad keys":                               badKeys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := open(t)
			part(&twin{T: t, stores: []tokens.Store{a, b}, want: map[tokens.Key]tokens.Set{}})
		})
	}
}
