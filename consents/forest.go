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
	nodes []Node // sorted by ID
	roots []*Node
	index map[int64]*Node
}

// Node is one consent at its place in a [Forest]. It is immutable.
type Node struct {
	consent  gen.Consent
	parent   *Node // nil for a root
	children []*Node
	rooted   bool // a root leads to it
}

// NewForest arranges consents in trees. The parent of a consent is the last but
// one in its dependency path, a path of one is a root; what stands before is not
// looked at. A consent without a scope name has its place and meets nothing. The
// order of the list does not matter, and the list is copied.
//
// The error names the consent. It matches [ErrMissingParent] if the list is incomplete.
func NewForest(list []gen.Consent) (*Forest, error) {
	f := &Forest{nodes: make([]Node, len(list)), index: make(map[int64]*Node, len(list))}
	for i, consent := range list {
		consent.DependencyPath = slices.Clone(consent.DependencyPath)
		f.nodes[i] = Node{consent: consent}
	}
	slices.SortStableFunc(f.nodes, func(a, b Node) int { return cmp.Compare(a.consent.ID, b.consent.ID) })
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
		f.index[id] = &f.nodes[i]
	}
	if err := f.link(); err != nil {
		return nil, err
	}
	return f, nil
}

// link connects every consent with its parent. It refuses cycles: what no root leads to.
func (f *Forest) link() error {
	for i := range f.nodes {
		n := &f.nodes[i]
		path := n.consent.DependencyPath
		if len(path) == 1 {
			f.roots = append(f.roots, n)
			continue
		}
		if n.parent = f.index[path[len(path)-2]]; n.parent == nil {
			return fmt.Errorf("consents: build forest: %w: consent %d depends on %d, which is not in the list; "+
				"use the whole response of the service, unfiltered", ErrMissingParent, n.consent.ID, path[len(path)-2])
		}
		n.parent.children = append(n.parent.children, n)
	}
	for n := range below(f.roots) {
		n.rooted = true
	}
	for i := range f.nodes {
		if !f.nodes[i].rooted {
			return fmt.Errorf("consents: build forest: by the dependency paths, consent %d is below itself or below one that is", f.nodes[i].consent.ID)
		}
	}
	return nil
}

// below yields trees and all that is below them.
func below(trees []*Node) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for queue := slices.Clone(trees); len(queue) > 0 && yield(queue[0]); {
			queue = append(queue[1:], queue[0].children...)
		}
	}
}

// Trees returns the roots, sorted by consent ID. The slice is the caller's.
func (f *Forest) Trees() []*Node { return slices.Clone(f.roots) }

// Find returns the consent with an ID, and whether it is in the forest.
func (f *Forest) Find(id int64) (*Node, bool) {
	n, ok := f.index[id]
	return n, ok
}

// Edges yields every consent that has a parent, as the pair of parent and child,
// sorted by the child's consent ID.
func (f *Forest) Edges() iter.Seq2[*Node, *Node] {
	return func(yield func(parent, child *Node) bool) {
		for i := range f.nodes {
			if n := &f.nodes[i]; n.parent != nil && !yield(n.parent, n) {
				return
			}
		}
	}
}

// Consent returns the consent. It shares nothing with the forest.
func (n *Node) Consent() gen.Consent {
	consent := n.consent
	consent.DependencyPath = slices.Clone(consent.DependencyPath)
	return consent
}

// Children returns the consents directly below, sorted by consent ID. The slice is
// the caller's.
func (n *Node) Children() []*Node { return slices.Clone(n.children) }
