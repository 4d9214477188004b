package scopes

import (
	"fmt"
	"slices"
	"strings"
)

// Graph is a parsed scope string: the scopes at the top level and everything
// they depend on. It is immutable and has no cycle; walking all of it from the
// roots visits at most as many nodes as its text has bytes, at most 64 deep. The
// zero Graph is empty.
type Graph struct {
	names []string
	start []int32 // edges of node n are edges[start[n+1]:start[n+2]], roots edges[:start[1]]
	edges []edge
}

// Node is one place of a scope in a [Graph]: at the top level or as a dependency.
type Node struct {
	graph    *Graph
	id       int32
	optional bool
}

// Name returns the name of the scope.
func (n Node) Name() string {
	if n.graph == nil {
		return ""
	}
	return n.graph.names[n.id]
}

// Optional reports whether the scope is optional at this place.
func (n Node) Optional() bool { return n.optional }

// Dependencies returns the direct dependencies in the order of their first
// occurrence. The slice is the caller's.
func (n Node) Dependencies() []Node {
	if n.graph == nil {
		return nil
	}
	return n.graph.nodes(n.id + 1)
}

// Roots returns the scopes at the top level in the order of their first
// occurrence. The slice is the caller's.
func (g *Graph) Roots() []Node { return g.nodes(0) }

func (g *Graph) nodes(from int32) []Node {
	edges := g.out(from)
	if len(edges) == 0 {
		return nil
	}
	nodes := make([]Node, len(edges))
	for i, e := range edges {
		nodes[i] = Node{graph: g, id: e.to, optional: e.optional}
	}
	return nodes
}

func (g *Graph) out(from int32) []edge {
	if len(g.start) == 0 {
		return nil
	}
	return g.edges[g.start[from]:g.start[from+1]]
}

// finish makes the graph: edges grouped by where they start, each once, checked
// for cycles and size.
func (b *builder) finish() (*Graph, error) {
	g := &Graph{names: b.names}
	g.group(b.edges)
	m := measurer{builder: b, graph: g, sizes: make([]size, len(g.names)+1)}
	if err := m.visit(0, edge{element: -1}); err != nil {
		return nil, err
	}
	return g, nil
}

// group sorts edges by their start in linear time, keeping their order, and drops
// repetitions: a required dependency beats an optional one, but the top level
// keeps both.
func (g *Graph) group(edges []edge) {
	groups := len(g.names) + 1
	start := make([]int32, groups+1)
	for _, e := range edges {
		start[e.from+1]++
	}
	for i := range groups {
		start[i+1] += start[i]
	}
	sorted := make([]edge, len(edges))
	next := make([]int32, groups)
	copy(next, start)
	for _, e := range edges {
		sorted[next[e.from]] = e
		next[e.from]++
	}

	seen := make([]int32, 2*groups) // position+1 of the last edge kept to a node
	kept := int32(0)
	for from := range groups {
		first, end := start[from], start[from+1]
		start[from] = kept
		for _, e := range sorted[first:end] {
			slot := 2 * e.to
			if from == 0 && e.optional {
				slot++
			}
			if at := seen[slot]; at > start[from] {
				sorted[at-1].optional = sorted[at-1].optional && e.optional
				continue
			}
			sorted[kept] = e
			kept++
			seen[slot] = kept
		}
	}
	start[groups] = kept
	g.start, g.edges = start, sorted[:kept]
}

// size is how large a scope is with its dependencies: the zero value before it is known.
type size struct {
	length, depth int
}

// measurer visits every scope once, depth first, and refuses a cycle and what exceeds the limits.
type measurer struct {
	*builder

	graph *Graph
	sizes []size
	path  []int32 // from the top level to the scope that is being visited
}

func (m *measurer) visit(at int32, by edge) error {
	if len(m.path) > maxDepth {
		return m.tooDeep(by)
	}
	m.path = append(m.path, at)
	var s size
	out := m.graph.out(at)
	if at > 0 {
		s.length = len(m.graph.names[at-1]) + 2*min(len(out), 1) // the brackets
	}
	for i, e := range out {
		to := e.to + 1
		if start := slices.Index(m.path, to); start >= 0 {
			return m.fail(ErrCycle, int(e.element), int(e.offset), "%s", m.describeCycle(m.path[start:]))
		}
		if m.sizes[to].length == 0 {
			if err := m.visit(to, e); err != nil {
				return err
			}
		}
		if s.depth = max(s.depth, m.sizes[to].depth+1); s.depth > maxDepth {
			return m.tooDeep(e)
		}
		s.length += m.sizes[to].length + min(i, 1) + btoi(e.optional) // a space before all but the first
		if s.length > maxText {
			return m.fail(ErrTooLarge, int(e.element), int(e.offset),
				"written out in full, with shared dependencies at every place, this is longer than %d bytes", maxText)
		}
	}
	m.path = m.path[:len(m.path)-1]
	m.sizes[at] = s
	return nil
}

func (m *measurer) tooDeep(e edge) error {
	return m.fail(ErrTooLarge, int(e.element), int(e.offset), "a chain of more than %d scopes that depend on each other", maxDepth)
}

// describeCycle writes a cycle in the grammar of scopes.
func (m *measurer) describeCycle(cycle []int32) string {
	const most = 4
	var names []string
	for _, n := range cycle[:min(len(cycle), most)] {
		names = append(names, shorten(m.graph.names[n-1]))
	}
	if len(cycle) > most {
		names = append(names, fmt.Sprintf("... %d more ...", len(cycle)-most))
	}
	names = append(names, names[0])
	return "the cycle is " + strings.Join(names, "[") + strings.Repeat("]", len(names)-1) + "; remove one of these dependencies"
}
