package consents

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/globusauth/globusauth/gen"
)

// ErrMissingParent says that the parent of a consent is not in the list. A list
// that was filtered or cut can cause it.
var ErrMissingParent = errors.New("a parent is missing")

// Forest is a set of consents arranged in trees. The zero Forest is empty.
type Forest struct {
	nodes []node // sorted by ID
	roots []int
	index map[int64]int
}

type node struct {
	consent  gen.Consent
	parent   int // -1 for a root
	children []int
	height   int // of the tree below, itself included
}

// Node is one consent at its place in a [Forest].
type Node struct {
	forest *Forest
	at     int
}

// NewForest arranges consents in trees. The parent of a consent is the last but
// one in its dependency path, a path of one is a root; what stands before is not
// looked at. A consent without a scope name has its place and meets nothing. The
// order of the list does not matter, and the list is copied.
//
// The error names the consent. It matches [ErrMissingParent] if the list is incomplete.
func NewForest(list []gen.Consent) (*Forest, error) {
	f := &Forest{nodes: make([]node, len(list)), index: make(map[int64]int, len(list))}
	for i, consent := range list {
		consent.DependencyPath = slices.Clone(consent.DependencyPath)
		f.nodes[i] = node{consent: consent, parent: -1}
	}
	slices.SortStableFunc(f.nodes, func(a, b node) int { return cmp.Compare(a.consent.ID, b.consent.ID) })
	for i := range f.nodes {
		id, path := f.nodes[i].consent.ID, f.nodes[i].consent.DependencyPath
		if _, twice := f.index[id]; twice {
			return nil, fmt.Errorf("consents: build forest: ID %d occurs twice; each consent is to be listed once", id)
		}
		if len(path) == 0 {
			return nil, fmt.Errorf("consents: build forest: the dependency path of consent %d is empty", id)
		}
		if last := path[len(path)-1]; last != id {
			return nil, fmt.Errorf("consents: build forest: the dependency path of consent %d ends in %d instead of its own ID", id, last)
		}
		f.index[id] = i
	}
	if err := f.link(); err != nil {
		return nil, err
	}
	if err := f.measure(); err != nil {
		return nil, err
	}
	return f, nil
}

// link connects every consent with its parent.
func (f *Forest) link() error {
	for i := range f.nodes {
		path := f.nodes[i].consent.DependencyPath
		if len(path) == 1 {
			f.roots = append(f.roots, i)
			continue
		}
		parent, ok := f.index[path[len(path)-2]]
		if !ok {
			return fmt.Errorf("consents: build forest: %w: consent %d depends on %d, which is not in the list; "+
				"use the whole response of the service, unfiltered", ErrMissingParent, f.nodes[i].consent.ID, path[len(path)-2])
		}
		f.nodes[i].parent = parent
		f.nodes[parent].children = append(f.nodes[parent].children, i)
	}
	return nil
}

// measure computes the heights and finds cycles: what no root leads to.
func (f *Forest) measure() error {
	order := make([]int, 0, len(f.nodes)) // parents before children
	order = append(order, f.roots...)
	for i := 0; i < len(order); i++ {
		order = append(order, f.nodes[order[i]].children...)
	}
	for _, i := range slices.Backward(order) {
		f.nodes[i].height++
		if parent := f.nodes[i].parent; parent >= 0 {
			f.nodes[parent].height = max(f.nodes[parent].height, f.nodes[i].height)
		}
	}
	for i := range f.nodes {
		if f.nodes[i].height == 0 {
			return fmt.Errorf("consents: build forest: by the dependency paths, consent %d is below itself or below one that is", f.nodes[i].consent.ID)
		}
	}
	return nil
}

// Trees returns the roots, sorted by consent ID. The slice is the caller's.
func (f *Forest) Trees() []Node { return f.list(f.roots) }

// Find returns the consent with an ID, and whether it is in the forest.
func (f *Forest) Find(id int64) (Node, bool) {
	i, ok := f.index[id]
	if !ok {
		return Node{}, false
	}
	return Node{forest: f, at: i}, true
}

// Edges yields every consent that has a parent, as the pair of parent and child,
// sorted by the child's consent ID.
func (f *Forest) Edges() iter.Seq2[Node, Node] {
	return func(yield func(parent, child Node) bool) {
		for i := range f.nodes {
			parent := f.nodes[i].parent
			if parent >= 0 && !yield(Node{forest: f, at: parent}, Node{forest: f, at: i}) {
				return
			}
		}
	}
}

// Depth returns the number of consents on the longest way from a root down; 0 for
// an empty forest.
func (f *Forest) Depth() int {
	depth := 0
	for _, root := range f.roots {
		depth = max(depth, f.nodes[root].height)
	}
	return depth
}

func (f *Forest) list(at []int) []Node {
	nodes := make([]Node, len(at))
	for i, n := range at {
		nodes[i] = Node{forest: f, at: n}
	}
	return nodes
}

// Consent returns the consent. It shares nothing with the forest.
func (n Node) Consent() gen.Consent {
	if n.forest == nil {
		return gen.Consent{}
	}
	consent := n.forest.nodes[n.at].consent
	consent.DependencyPath = slices.Clone(consent.DependencyPath)
	return consent
}

// Children returns the consents directly below, sorted by consent ID. The slice is
// the caller's.
func (n Node) Children() []Node {
	if n.forest == nil {
		return nil
	}
	return n.forest.list(n.forest.nodes[n.at].children)
}

// Depth returns the number of consents on the longest way from here down; 1 if
// there is nothing below.
func (n Node) Depth() int {
	if n.forest == nil {
		return 0
	}
	return n.forest.nodes[n.at].height
}
