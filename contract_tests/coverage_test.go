package contract_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/globusauth/globusauth"
)

// TestContracts_CoverEveryOperation runs all calls again. Every operation of the
// spec must be requested and succeed, and every operation of the client must be in
// the spec.
func TestContracts_CoverEveryOperation(t *testing.T) {
	t.Parallel()
	requested, succeeded := map[string]bool{}, map[string]bool{}
	note := func(w *mocked) {
		for _, x := range w.exchanges {
			requested[x.operation] = true
			succeeded[x.operation] = succeeded[x.operation] || (x.status >= 200 && x.status < 400)
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
				w := newMocked(t, rec)
				_ = call(w)
				note(w)
			}
		}
	}
	for _, rec := range responseRecords(t) {
		name, _, _ := strings.Cut(rec.label, "/")
		if call := responseCalls[name]; call != nil && notOffered[rec.label] == "" {
			w := newMocked(t, rec)
			_, _ = call(w, rec)
			note(w)
		}
	}

	operations := theSpec(t).operations()
	for _, id := range operations {
		if theSpec(t).browserOnly(id) {
			continue
		}
		if !requested[id] {
			t.Errorf("no contract test makes a request of %s", id)
		}
		if !succeeded[id] {
			t.Errorf("no contract test reads a response of %s", id)
		}
	}
	methods := clientOperations()
	for _, id := range operations {
		method := strings.ToUpper(id[:1]) + id[1:]
		if methods[method] == theSpec(t).browserOnly(id) {
			t.Errorf("method of the client for %s: %v", id, methods[method])
		}
		delete(methods, method)
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
