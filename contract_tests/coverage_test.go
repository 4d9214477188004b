package contract_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
)

// TestEveryOperationIsCovered runs all calls once more and wants every operation
// of the spec requested, every one answered, and every operation of the client
// among them.
func TestEveryOperationIsCovered(t *testing.T) {
	t.Parallel()
	requested, answered := map[string]bool{}, map[string]bool{}
	note := func(w *world) {
		for _, x := range w.exchanges {
			requested[x.operation] = true
			answered[x.operation] = answered[x.operation] || (x.status >= 200 && x.status < 400)
		}
	}
	for _, table := range []struct {
		records []record
		calls   map[string]call
	}{
		{pythonRecords(t, "sdk_recorded_requests.json"), pythonCalls},
		{javaScriptRecords(t), javaScriptCalls},
		{authorizeRecords(t), authorizeCalls},
		{pythonRecords(t, "documented_requests.json"), documentedCalls},
	} {
		for _, rec := range table.records {
			if call := table.calls[rec.label]; call != nil && !rec.refused {
				w := newWorld(t, rec)
				_ = call(w)
				note(w)
			}
		}
	}
	for _, rec := range answerRecords(t) {
		name, _, _ := strings.Cut(rec.label, "/")
		if ask := answerCalls[name]; ask != nil && notOffered[rec.label] == "" {
			w := newWorld(t, rec)
			_, _ = ask(w, rec)
			note(w)
		}
	}

	operations := theSpec(t).operations()
	for _, id := range operations {
		if !requested[id] {
			t.Errorf("no contract test makes a request of %s", id)
		}
		if !answered[id] {
			t.Errorf("no contract test reads an answer of %s", id)
		}
	}
	methods := clientOperations()
	for _, id := range operations {
		if !methods[strings.ToUpper(id[:1])+id[1:]] {
			t.Errorf("the client has no method for %s", id)
		}
		delete(methods, strings.ToUpper(id[:1])+id[1:])
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		t.Errorf("Client.%s takes call options and is not in the spec", name)
	}
}

// clientOperations are the methods of the client that take call options.
func clientOperations() map[string]bool {
	found := map[string]bool{}
	for method := range reflect.TypeFor[*globusauth.Client]().Methods() {
		kind := method.Type
		if kind.IsVariadic() && kind.In(kind.NumIn()-1) == reflect.TypeFor[[]globusauth.CallOption]() {
			found[method.Name] = true
		}
	}
	return found
}
