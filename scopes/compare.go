package scopes

// Equal reports whether two graphs mean the same, whatever the order and spelling
// they were read from.
func (g *Graph) Equal(other *Graph) bool {
	return len(g.names) == len(other.names) && len(g.edges) == len(other.edges) &&
		g.String() == other.String()
}

// Contains reports whether a consent to g covers everything in other: every scope
// at the top level of other is at the top level of g, and every dependency in
// other is one in g. What is required covers what is optional, but not the other
// way round. Everything contains an empty graph.
func (g *Graph) Contains(other *Graph) bool {
	if len(other.names) == 0 {
		return true
	}
	const required, optional = 2, 1
	have := make([]uint8, len(g.names))             // the edges of one group of g, by node
	for from := range int32(len(other.names) + 1) { //nolint:gosec // Bounded by maxText.
		wanted := other.out(from)
		if len(wanted) == 0 {
			continue
		}
		group := int32(0)
		if from > 0 {
			n, ok := g.index[other.names[from-1]]
			if !ok {
				return false
			}
			group = n + 1
		}
		for _, e := range g.out(group) {
			if e.optional {
				have[e.to] = max(have[e.to], optional)
			} else {
				have[e.to] = required
			}
		}
		for _, e := range wanted {
			n, ok := g.index[other.names[e.to]]
			if !ok || have[n] == 0 || have[n] == optional && !e.optional {
				return false
			}
		}
		for _, e := range g.out(group) {
			have[e.to] = 0
		}
	}
	return true
}
