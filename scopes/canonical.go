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
func (g *Graph) String() string {
	text, _ := g.canonical()
	return text
}

// List returns the canonical text of each scope at the top level, sorted; joined
// they are the same as [Graph.String]. An empty graph gives nil.
func (g *Graph) List() List {
	text, ends := g.canonical()
	var list List
	start := 0
	for _, end := range ends {
		list = append(list, Scope(text[start:end]))
		start = end + 1
	}
	return list
}

// canonical returns the text and where each root ends in it.
func (g *Graph) canonical() (text string, ends []int) {
	p := printer{graph: g, sorted: make([][]edge, len(g.names))}
	p.text.Grow(g.size)
	roots := g.sortedOut(0)
	for i, e := range roots {
		if i > 0 {
			p.text.WriteByte(' ')
		}
		p.write(e)
		ends = append(ends, p.text.Len())
	}
	return p.text.String(), ends
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
	text   strings.Builder
	graph  *Graph
	sorted [][]edge // dependencies by node, sorted at the first visit
}

// write prints one scope with its dependencies. The depth of the recursion and
// the length of the text were limited when the graph was made.
func (p *printer) write(e edge) {
	if e.optional {
		p.text.WriteByte('*')
	}
	p.text.WriteString(p.graph.names[e.to])
	if len(p.graph.out(e.to+1)) == 0 {
		return
	}
	if p.sorted[e.to] == nil {
		p.sorted[e.to] = p.graph.sortedOut(e.to + 1)
	}
	p.text.WriteByte('[')
	for i, dependency := range p.sorted[e.to] {
		if i > 0 {
			p.text.WriteByte(' ')
		}
		p.write(dependency)
	}
	p.text.WriteByte(']')
}
