package scopes

import "iter"

// Contains reports whether a consent to g covers everything in other: every scope
// at the top level of other is at the top level of g, and every dependency in
// other is one in g. A required scope covers an optional one, but not the other
// way round. Every graph contains an empty graph.
func (g *Graph) Contains(other *Graph) bool {
	required := make(map[place]bool, len(g.edges))
	for at, optional := range g.places() {
		required[at] = required[at] || !optional
	}
	for at, optional := range other.places() {
		if must, found := required[at]; !found || !must && !optional {
			return false
		}
	}
	return true
}

// place is a scope as a dependency of another, or at the top level.
type place struct{ of, name string }

// places yields every scope at each of its places, and whether it is optional there.
func (g *Graph) places() iter.Seq2[place, bool] {
	return func(yield func(place, bool) bool) {
		for from := range len(g.names) + 1 {
			at := place{}
			if from > 0 {
				at.of = g.names[from-1]
			}
			for _, e := range g.out(int32(from)) {
				at.name = g.names[e.to]
				if !yield(at, e.optional) {
					return
				}
			}
		}
	}
}
