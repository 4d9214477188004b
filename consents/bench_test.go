package consents_test

import (
	"fmt"
	"testing"

	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/scopes"
)

// BenchmarkForest makes trees of 1,000 consents, 250 roots with three dependencies each, and asks whether they meet a scope with
// two dependencies. The floor puts the consents in a map by ID and links each to its parent.
func BenchmarkForest(b *testing.B) {
	const roots, each = 250, 4
	var list []gen.Consent
	for n := range roots {
		id := int64(each*n + 1)
		list = append(list, gen.Consent{ID: id, DependencyPath: []int64{id}, ScopeName: fmt.Sprint("root", n)})
		for d := range int64(each - 1) {
			list = append(list, gen.Consent{ID: id + d + 1, DependencyPath: []int64{id, id + d + 1}, ScopeName: fmt.Sprint("need", d)})
		}
	}
	required := scopes.List{scopes.Scope(fmt.Sprintf("root%d[need0 need2]", roots-1))}
	bench.CPU(b, bench.Case{Name: "floor", Run: func() {
		byID, children := make(map[int64]int, len(list)), make(map[int64][]int, roots)
		for i, c := range list {
			byID[c.ID] = i
			if path := c.DependencyPath; len(path) > 1 {
				parent := path[len(path)-2]
				children[parent] = append(children[parent], i)
			}
		}
		if len(byID) != roots*each || len(children) != roots {
			b.Fatal("wrong trees")
		}
	}}, bench.Case{Name: "consents", Run: func() {
		forest, err := consents.NewForest(list)
		if err != nil {
			b.Fatal(err)
		}
		if met, err := forest.Meets(required); err != nil || !met {
			b.Fatal(met, err)
		}
	}})
	bench.Max(b, "consents-cpu-ns", 1e6)
}
