package authtest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// AssertRequested ends the test unless a request was received that has the given
// operation, and the values of the given query, form and header among its own;
// empty fields are not compared. The message says how each request of the
// operation differs.
func (s *Server) AssertRequested(want Request) {
	var differences, operations []string
	for _, got := range s.Requests() {
		if !slices.Contains(operations, got.Operation) {
			operations = append(operations, got.Operation)
		}
		if want.Operation != "" && got.Operation != want.Operation {
			continue
		}
		found := want.differsFrom(got)
		if len(found) == 0 {
			return
		}
		differences = append(differences, fmt.Sprintf("%s %s:\n\t\t%s", got.Method, got.Path, strings.Join(found, "\n\t\t")))
	}
	if len(differences) == 0 {
		s.fail("authtest: no request of the operation %q was received, only of %q", want.Operation, operations)
		return
	}
	s.fail("authtest: no request is as wanted:\n\t%s", strings.Join(differences, "\n\t"))
}

// AssertOperations ends the test unless exactly these operations were requested, in
// this order.
func (s *Server) AssertOperations(want ...string) {
	got := []string{}
	for _, r := range s.Requests() {
		got = append(got, r.Operation)
	}
	if !slices.Equal(got, want) {
		s.fail("authtest: the requested operations are %q, want %q", got, want)
	}
}

// differsFrom says what a request lacks.
func (want Request) differsFrom(got Request) []string {
	var found []string
	differ := func(what, gotValue, wantValue string) {
		if wantValue != "" && gotValue != wantValue {
			found = append(found, fmt.Sprintf("%s is %q, want %q", what, gotValue, wantValue))
		}
	}
	differ("method", got.Method, want.Method)
	differ("path", got.Path, want.Path)
	differ("token's identity", got.TokenIdentity, want.TokenIdentity)
	differ("token's client", got.TokenClient, want.TokenClient)
	if want.Status != 0 && got.Status != want.Status {
		found = append(found, fmt.Sprintf("status is %d, want %d", got.Status, want.Status))
	}
	compare := func(what string, got, want url.Values) {
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if !slices.Equal(got[name], want[name]) {
				found = append(found, fmt.Sprintf("%s %s is %q, want %q", what, name, got[name], want[name]))
			}
		}
	}
	compare("query", got.Query, want.Query)
	compare("form", got.Form, want.Form)
	compare("header", url.Values(got.Header), url.Values(want.Header))
	return found
}
