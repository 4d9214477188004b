package scopes

import (
	"cmp"
	"slices"
	"strings"
)

// String returns the canonical text: scopes and dependencies sorted by name, a
// required scope before an optional one of the same name, every scope with all
// its dependencies wherever it stands, single spaces. Two graphs that mean the
// same give the same text, and parsing it gives an equal graph.
func (g *Graph) String() string { return g.List().String() }

// List returns the canonical text of each scope at the top level, sorted; joined
// they are the same as [Graph.String]. An empty graph gives nil.
func (g *Graph) List() List {
	p := printer{graph: g, sorted: make([][]edge, len(g.names))}
	var list List
	for _, root := range g.sortedOut(0) {
		p.text = p.text[:0]
		p.write(root)
		list = append(list, Scope(p.text))
	}
	return list
}

func (g *Graph) sortedOut(from int32) []edge {
	out := g.out(from)
	byName := func(a, b edge) int {
		if a.to != b.to {
			return strings.Compare(g.names[a.to], g.names[b.to])
		}
		return cmp.Compare(btoi(a.optional), btoi(b.optional))
	}
	if slices.IsSortedFunc(out, byName) {
		return out
	}
	out = slices.Clone(out)
	slices.SortFunc(out, byName)
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

type printer struct {
	graph  *Graph
	text   []byte
	sorted [][]edge // dependencies by node, sorted at the first visit
}

// write prints one scope with its dependencies. The depth of the recursion and
// the length of the text were limited when the graph was made.
func (p *printer) write(e edge) {
	if e.optional {
		p.text = append(p.text, '*')
	}
	p.text = append(p.text, p.graph.names[e.to]...)
	if len(p.graph.out(e.to+1)) == 0 {
		return
	}
	if p.sorted[e.to] == nil {
		p.sorted[e.to] = p.graph.sortedOut(e.to + 1)
	}
	p.text = append(p.text, '[')
	for i, dependency := range p.sorted[e.to] {
		if i > 0 {
			p.text = append(p.text, ' ')
		}
		p.write(dependency)
	}
	p.text = append(p.text, ']')
}
