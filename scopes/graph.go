package scopes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/redact"
)

// Graph is a parsed scope string: the scopes at the top level and everything
// they depend on. It is immutable and has no cycle; walking all of it from the
// roots visits at most as many nodes as its text has bytes, at most 64 deep. The
// zero Graph is empty.
type Graph struct {
	vertices []vertex // the first is the top level
}

// vertex is a scope with its dependencies, sorted by name.
type vertex struct {
	name string
	out  []edge
}

type edge struct {
	to              int32
	element, offset int32  // where it was read, for errors
	mark            string // * if optional
}

// Node is one place of a scope in a [Graph]: at the top level or as a dependency.
type Node struct {
	graph *Graph
	edge  edge
}

// Name returns the name of the scope.
func (n Node) Name() string {
	if n.graph == nil {
		return ""
	}
	return n.graph.vertices[n.edge.to].name
}

// Optional reports whether the scope is optional at this place.
func (n Node) Optional() bool { return n.edge.mark != "" }

// Dependencies returns the direct dependencies in the order of the text. The slice is
// the caller's.
func (n Node) Dependencies() []Node {
	if n.graph == nil {
		return nil
	}
	return n.graph.nodes(n.edge.to)
}

// Roots returns the scopes at the top level in the order of the text. The slice is the
// caller's.
func (g *Graph) Roots() []Node { return g.nodes(0) }

func (g *Graph) nodes(from int32) []Node {
	var nodes []Node
	for _, e := range g.out(from) {
		nodes = append(nodes, Node{g, e})
	}
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(int(a.edge.element-b.edge.element), int(a.edge.offset-b.edge.offset))
	})
	return nodes
}

func (g *Graph) out(from int32) []edge {
	if len(g.vertices) == 0 {
		return nil
	}
	return g.vertices[from].out
}

// String returns the canonical text: scopes and dependencies sorted by name, a
// required scope before an optional one of the same name, every scope with all
// its dependencies wherever it stands, single spaces. Two graphs that mean the
// same give the same text, and parsing it gives an equal graph.
func (g *Graph) String() string { return g.List().String() }

// List returns the canonical text of each scope at the top level, sorted; joined
// they are the same as [Graph.String]. An empty graph gives nil.
func (g *Graph) List() List {
	var list List
	for _, root := range g.out(0) {
		list = append(list, Scope(g.write(nil, root)))
	}
	return list
}

// write appends one scope with its dependencies. The depth of the recursion and
// the length of the text were limited when the graph was made.
func (g *Graph) write(text []byte, e edge) []byte {
	text = append(append(text, e.mark...), g.vertices[e.to].name...)
	separator := byte('[')
	for _, dependency := range g.out(e.to) {
		text = g.write(append(text, separator), dependency)
		separator = ' '
	}
	if separator == ' ' {
		text = append(text, ']')
	}
	return text
}

// finish sorts the dependencies of every scope, drops repetitions, and refuses cycles and
// what exceeds the limits. A required dependency beats an optional one; the top level
// keeps both.
func (p *parser) finish() (*Graph, error) {
	vertices := p.graph.vertices
	for n := range vertices {
		slices.SortFunc(vertices[n].out, func(a, b edge) int {
			if a.to != b.to {
				return strings.Compare(vertices[a.to].name, vertices[b.to].name)
			}
			return cmp.Or(len(a.mark)-len(b.mark), int(a.element-b.element), int(a.offset-b.offset))
		})
		vertices[n].out = slices.CompactFunc(vertices[n].out, func(a, b edge) bool {
			return a.to == b.to && (n > 0 || a.mark == b.mark)
		})
	}
	m := measurer{parser: p, sizes: make([]size, len(vertices))}
	if err := m.visit(0, edge{}); err != nil {
		return nil, err
	}
	return p.graph, nil
}

// size is how large a scope is with its dependencies: the zero value before it is known.
type size struct {
	length, depth int
}

// measurer visits every scope once, depth first, and refuses a cycle and what exceeds the limits.
type measurer struct {
	*parser

	sizes []size
	path  []int32 // from the top level to the scope that is being visited
}

func (m *measurer) visit(at int32, by edge) error {
	if len(m.path) > maxDepth {
		return m.tooDeep(by)
	}
	m.path = append(m.path, at)
	s := size{length: len(m.graph.vertices[at].name)}
	for _, e := range m.graph.vertices[at].out {
		if start := slices.Index(m.path, e.to); start >= 0 {
			return m.fail(ErrCycle, int(e.element), int(e.offset), "the cycle is %s; remove one of these dependencies", m.describe(m.path[start:]))
		}
		if m.sizes[e.to].length == 0 {
			if err := m.visit(e.to, e); err != nil {
				return err
			}
		}
		if s.depth = max(s.depth, m.sizes[e.to].depth+1); s.depth > maxDepth {
			return m.tooDeep(e)
		}
		s.length += len(" ") + len(e.mark) + m.sizes[e.to].length
		if s.length > maxText+1 {
			return m.fail(ErrTooLarge, int(e.element), int(e.offset),
				"written out in full, with shared dependencies at every place, this is longer than %d bytes", maxText)
		}
	}
	s.length += min(s.depth, 1) // brackets: one more byte than the spaces that were counted
	m.path = m.path[:len(m.path)-1]
	m.sizes[at] = s
	return nil
}

func (m *measurer) tooDeep(e edge) error {
	return m.fail(ErrTooLarge, int(e.element), int(e.offset), "a chain of more than %d scopes that depend on each other", maxDepth)
}

// describe writes a cycle in the grammar of scopes.
func (m *measurer) describe(cycle []int32) string {
	names := make([]string, 0, len(cycle)+1)
	for _, n := range slices.Concat(cycle, cycle[:1]) {
		names = append(names, m.graph.vertices[n].name)
	}
	return redact.Line(strings.Join(names, "[")+strings.Repeat("]", len(cycle)), 200)
}
