package consents

import (
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/scopes"
)

// Missing is a consent that a requirement needs and the forest does not have.
type Missing struct {
	// Element is the index of the requirement in the list that was asked for.
	Element int
	// Path is the names of the scopes from the root down to the missing one. All
	// but the last are there.
	Path []string
}

// String returns the path in the grammar of scopes, with the missing scope
// innermost. It is for people: the optional marks are gone, so a request asks for
// the element itself again.
func (m Missing) String() string {
	if len(m.Path) == 0 {
		return ""
	}
	return strings.Join(m.Path, "[") + strings.Repeat("]", len(m.Path)-1)
}

// Meets reports whether there is a consent for everything required; see the
// package comment for what that means. An empty list is met by any forest. The
// error is that of [scopes.Parse] for an element.
func (f *Forest) Meets(required scopes.List) (bool, error) {
	missing, err := f.Missing(required)
	return err == nil && len(missing) == 0, err
}

// Missing returns what is required and not consented to, in the order of the
// list; nothing if [Forest.Meets]. Of several trees, or several children of the
// same name, that fail a requirement, the one that lacks least is reported. Below
// a missing scope nothing more is reported. The error is that of [scopes.Parse]
// for an element.
func (f *Forest) Missing(required scopes.List) ([]Missing, error) {
	roots := make(map[string][]*Node)
	for _, root := range f.roots {
		roots[root.consent.ScopeName] = append(roots[root.consent.ScopeName], root)
	}
	var missing []Missing
	for i, element := range required {
		graph, err := scopes.Parse(string(element))
		if err != nil {
			return nil, fmt.Errorf("consents: required scope %d of the list: %w", i, err)
		}
		m := matcher{}
		seen := make(map[string]bool) // a scope and the same as optional are one here
		for _, scope := range graph.Roots() {
			if seen[scope.Name()] {
				continue
			}
			seen[scope.Name()] = true
			for _, path := range m.paths(nil, roots[scope.Name()], scope, nil) {
				missing = append(missing, Missing{Element: i, Path: path})
			}
		}
	}
	return missing, nil
}

// matcher compares trees with the scopes of one graph: it holds what each scope depends on, by
// name. It looks at every consent and every scope once for each level above, because a
// consent has the name of one scope at most. The recursion follows the scopes, whose depth
// [scopes.Parse] limits.
type matcher map[string]need

type need struct {
	dependencies []scopes.Node
	byName       map[string]scopes.Node
}

// best returns the candidate that lacks least of a scope, and how much that is. All of them
// have the name of the scope.
func (m matcher) best(candidates []*Node, scope scopes.Node) (best *Node, least int) {
	if len(candidates) == 0 {
		return nil, 1
	}
	need := m.need(scope)
	for i, candidate := range candidates {
		lacks := len(need.dependencies)
		for name, children := range need.children(candidate) {
			_, below := m.best(children, need.byName[name])
			lacks += below - 1
		}
		if i == 0 || lacks < least {
			best, least = candidate, lacks
		}
		if least == 0 {
			break
		}
	}
	return best, least
}

func (m matcher) need(scope scopes.Node) need {
	known, ok := m[scope.Name()]
	if !ok {
		known = need{scope.Dependencies(), make(map[string]scopes.Node)}
		for _, dependency := range known.dependencies {
			known.byName[dependency.Name()] = dependency
		}
		m[scope.Name()] = known
	}
	return known
}

// children returns those children of a consent that are needed, by name.
func (n need) children(of *Node) map[string][]*Node {
	var needed map[string][]*Node // most consents have none
	for _, child := range of.children {
		name := child.consent.ScopeName
		if _, ok := n.byName[name]; ok {
			if needed == nil {
				needed = make(map[string][]*Node)
			}
			needed[name] = append(needed[name], child)
		}
	}
	return needed
}

// paths appends the paths to what the best candidate lacks to list.
func (m matcher) paths(list [][]string, candidates []*Node, scope scopes.Node, above []string) [][]string {
	best, lacks := m.best(candidates, scope)
	if lacks == 0 {
		return list
	}
	here := append(slices.Clone(above), scope.Name())
	if best == nil {
		return append(list, here)
	}
	need := m.need(scope)
	children := need.children(best)
	for _, dependency := range need.dependencies {
		list = m.paths(list, children[dependency.Name()], dependency, here)
	}
	return list
}
