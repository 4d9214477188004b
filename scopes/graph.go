package scopes

import (
	"fmt"
	"strings"
)

// Graph is a parsed scope string: the scopes at the top level and everything
// they depend on. It is immutable and has no cycle; walking all of it from the
// roots visits at most as many nodes as its text has bytes, at most 64 deep. The
// zero Graph is empty.
type Graph struct {
	index map[string]int32
	names []string
	start []int32 // edges of node n are edges[start[n+1]:start[n+2]], roots edges[:start[1]]
	edges []edge
	size  int // of the canonical text
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
	g := &Graph{index: b.index, names: b.names}
	g.group(b.edges)
	if err := b.measure(g); err != nil {
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

// measure walks the graph depth first, without recursion, and computes for every
// node how deep and how long it is in full.
func (b *builder) measure(g *Graph) error {
	const (
		unknown = iota // not reached yet
		open           // on the way from the root to here
		done
	)
	groups := len(g.names) + 1
	state := make([]uint8, groups)
	depth := make([]int32, groups)
	size := make([]int64, groups)
	next := make([]int32, groups)
	copy(next, g.start)
	stack := []int32{0}
	state[0] = open
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		if next[at] < g.start[at+1] {
			e := g.edges[next[at]]
			next[at]++
			switch to := e.to + 1; state[to] {
			case open:
				return b.fail(ErrCycle, int(e.element), int(e.offset), "%s", g.describeCycle(stack, to))
			case unknown:
				state[to] = open
				stack = append(stack, to)
			}
			continue
		}
		stack = stack[:len(stack)-1]
		state[at] = done
		for i, e := range g.out(at) {
			depth[at] = max(depth[at], depth[e.to+1]+1)
			size[at] += size[e.to+1]
			if i > 0 {
				size[at]++ // the space
			}
			if e.optional {
				size[at]++
			}
			if depth[at] > maxDepth {
				return b.fail(ErrTooLarge, int(e.element), int(e.offset),
					"a chain of more than %d scopes that depend on each other", maxDepth)
			}
		}
		if at > 0 {
			if size[at] > 0 {
				size[at] += 2 // the brackets
			}
			size[at] += int64(len(g.names[at-1]))
		}
		if size[at] > maxText {
			where := edge{element: -1}
			if out := g.out(at); len(out) > 0 {
				where = out[0]
			}
			return b.fail(ErrTooLarge, int(where.element), int(where.offset),
				"written out in full, with shared dependencies repeated at every place, this is longer than %d bytes", maxText)
		}
	}
	g.size = int(size[0])
	return nil
}

// describeCycle writes the cycle that the edge from the top of the stack to node
// closes, in the grammar of scopes.
func (g *Graph) describeCycle(stack []int32, to int32) string {
	from := len(stack) - 1
	for stack[from] != to {
		from--
	}
	cycle := stack[from:]
	name := func(n int32) string { return shorten(g.names[n-1]) }
	const most = 4
	var b strings.Builder
	fmt.Fprintf(&b, "the cycle is ")
	for _, n := range cycle[:min(len(cycle), most)] {
		b.WriteString(name(n) + "[")
	}
	closing := min(len(cycle), most)
	if len(cycle) > most {
		fmt.Fprintf(&b, "... %d more ...[", len(cycle)-most)
		closing++
	}
	b.WriteString(name(to) + strings.Repeat("]", closing))
	b.WriteString("; remove one of these dependencies")
	return b.String()
}
