package scopes_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/globusauth/globusauth/scopes"
)

// model is the meaning of scope strings in the most direct form: for every name
// (and "" for the top level) its dependencies, true if required. The top level
// tells *foo from foo by the mark in the name.
type model map[string]map[string]bool

type tree struct {
	name     string
	optional bool
	children []tree
}

func (m model) add(parent string, t tree) {
	name, required := t.name, !t.optional
	if parent == "" {
		if t.optional {
			name = "*" + name
		}
		required = true
	}
	if m[parent] == nil {
		m[parent] = map[string]bool{}
	}
	m[parent][name] = m[parent][name] || required
	for _, child := range t.children {
		m.add(t.name, child)
	}
}

func (m model) cyclic() bool {
	var visit func(name string, path []string) bool
	visit = func(name string, path []string) bool {
		if slices.Contains(path, name) {
			return true
		}
		for child := range m[name] {
			if visit(strings.TrimPrefix(child, "*"), append(slices.Clone(path), name)) {
				return true
			}
		}
		return false
	}
	return visit("", nil)
}

func (m model) render(parent string) string {
	parts := make([]string, 0, len(m[parent]))
	for child, required := range m[parent] {
		name := strings.TrimPrefix(child, "*")
		parts = append(parts, renderOne(name, !required || child != name, m.render(name)))
	}
	slices.Sort(parts)
	return strings.Join(parts, " | ")
}

func genTrees(depth int) *rapid.Generator[[]tree] {
	return rapid.Custom(func(t *rapid.T) []tree {
		most := 3
		if depth == 0 {
			most = 0
		}
		trees := make([]tree, rapid.IntRange(0, most).Draw(t, "count"))
		for i := range trees {
			trees[i] = tree{
				name:     rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "ab"}).Draw(t, "name"),
				optional: rapid.Bool().Draw(t, "optional"),
				children: genTrees(depth-1).Draw(t, "children"),
			}
		}
		return trees
	})
}

// write writes trees with random spaces wherever spaces are optional.
func write(t *rapid.T, trees []tree) string {
	spaces := func(least int) string { return strings.Repeat(" ", rapid.IntRange(least, 2).Draw(t, "spaces")) }
	var b strings.Builder
	b.WriteString(spaces(0))
	for i, tree := range trees {
		if i > 0 {
			b.WriteString(spaces(1))
		}
		if tree.optional {
			b.WriteByte('*')
		}
		b.WriteString(tree.name)
		if len(tree.children) > 0 {
			b.WriteString("[" + write(t, tree.children) + "]")
		}
	}
	b.WriteString(spaces(0))
	return b.String()
}

func modelOf(trees []tree) model {
	m := model{}
	for _, t := range trees {
		m.add("", t)
	}
	return m
}

func TestParse_AgreesWithModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		trees := genTrees(3).Draw(t, "trees")
		text := write(t, trees)
		m := modelOf(trees)
		graph, err := scopes.Parse(text)
		if m.cyclic() {
			if !errors.Is(err, scopes.ErrCycle) {
				t.Fatalf("%q: %v, want ErrCycle", text, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got, want := renderNodes(graph.Roots()), m.render(""); got != want {
			t.Fatalf("%q:\n got %s\nwant %s", text, got, want)
		}
		if got := renderNodes(mustReparse(t, graph.String()).Roots()); got != m.render("") {
			t.Fatalf("%q: printed as %q, which means %s", text, graph, got)
		}
	})
}

func TestMerge_AgreesWithModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		treesA, treesB := genTrees(2).Draw(t, "a"), genTrees(2).Draw(t, "b")
		modelA, modelB := modelOf(treesA), modelOf(treesB)
		if modelA.cyclic() || modelB.cyclic() {
			t.Skip("a cycle in one of them")
		}
		a, b := mustReparse(t, write(t, treesA)), mustReparse(t, write(t, treesB))
		if got, want := a.String() == b.String(), modelA.render("") == modelB.render(""); got != want {
			t.Fatalf("%q equal %q: %v, want %v", a, b, got, want)
		}
		both := modelOf(slices.Concat(treesA, treesB))
		merged, err := scopes.Merge(a.List(), b.List())
		if both.cyclic() {
			if !errors.Is(err, scopes.ErrCycle) {
				t.Fatalf("merging %q and %q: %v, want ErrCycle", a, b, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("merging %q and %q: %v", a, b, err)
		}
		graph := mustReparse(t, merged.String())
		if got, want := renderNodes(graph.Roots()), both.render(""); got != want {
			t.Fatalf("merging %q and %q:\n got %s\nwant %s", a, b, got, want)
		}
	})
}

func mustReparse(t *rapid.T, text string) *scopes.Graph {
	t.Helper()
	graph, err := scopes.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return graph
}
