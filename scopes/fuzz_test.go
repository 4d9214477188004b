package scopes_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

// FuzzParse checks that any text is either refused with a position inside it or
// printed in a form that reads back the same.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/scope_vectors.json")
	if err != nil {
		f.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		f.Fatal(err)
	}
	for _, vector := range v.Parse {
		f.Add(vector.Input)
	}
	f.Add(hundredScopes())
	f.Add(nested(64))
	f.Add(chained(70))
	f.Add(doubling(20))
	f.Fuzz(func(t *testing.T, text string) {
		graph, err := scopes.Parse(text)
		if err != nil {
			problem, ok := errors.AsType[*scopes.ParseError](err)
			if !ok || problem.Offset < 0 || problem.Offset > len(text) {
				t.Fatalf("error %#v", err)
			}
			if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Fatalf("message %q", err)
			}
			return
		}
		printed := graph.String()
		again, err := scopes.Parse(printed)
		if err != nil {
			t.Fatalf("printed as %q, which is refused: %v", printed, err)
		}
		if again.String() != printed {
			t.Fatalf("%q printed as %q, then as %q", text, printed, again)
		}
		list := graph.List()
		if list.String() != printed || len(list) != len(graph.Roots()) {
			t.Fatalf("list %q, text %q", list, printed)
		}
		// A graph of a list is the graph of its text.
		fromList, err := list.Graph()
		if err != nil || fromList.String() != printed {
			t.Fatalf("list %q: %v, %v", list, fromList, err)
		}
	})
}

// FuzzList checks that what a list validates is, once joined, as many scopes as
// the list has, whatever the elements hold.
func FuzzList(f *testing.F) {
	f.Add("openid", "a[b]", "c")
	f.Add("a[b", "c]", "*d")
	f.Add("a", "b] c[d", "")
	f.Add("a", "b", "c] *evil[d")
	f.Add("a", "b", "c d")
	f.Fuzz(func(t *testing.T, first, second, dependency string) {
		list := scopes.List{scopes.Scope(first), scopes.Scope(second).With(scopes.Scope(dependency))}
		err := list.Validate()
		merged, mergeErr := scopes.Merge(list[:1], list[1:])
		if (err == nil) != (mergeErr == nil) {
			t.Fatalf("Validate: %v, Merge: %v", err, mergeErr)
		}
		if err != nil {
			return
		}
		graph, err := scopes.Parse(list.String())
		if err != nil {
			t.Fatalf("%q is valid, its text is not: %v", list, err)
		}
		if graph.String() != merged.String() {
			t.Fatalf("%q: parsed as %q, merged to %q", list, graph, merged)
		}
		for i, root := range graph.Roots() {
			if len(graph.Roots()) == 2 && root.Name() != list[i].Name() {
				t.Fatalf("element %d is %q, root %q", i, list[i], root.Name())
			}
		}
		if n := len(graph.Roots()); n < 1 || n > 2 {
			t.Fatalf("%q has %d roots", list, n)
		}
		// One argument of With is one dependency.
		with, err := (scopes.List{scopes.Scope("a-scope").With(scopes.Scope(dependency))}).Graph()
		if err != nil {
			return // only the whole list breaks no rule, such as that against cycles
		}
		if below := with.Roots()[0].Dependencies(); len(below) != 1 || below[0].Name() != scopes.Scope(dependency).Name() {
			t.Fatalf("dependency %q became %v", dependency, with)
		}
	})
}
