package consents

import (
	"fmt"
	"math"
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
	roots := make(map[string][]int)
	for _, root := range f.roots {
		name := f.nodes[root].consent.ScopeName
		roots[name] = append(roots[name], root)
	}
	var missing []Missing
	for i, element := range required {
		graph, err := scopes.Parse(string(element))
		if err != nil {
			return nil, fmt.Errorf("consents: required scope %d of the list: %w", i, err)
		}
		m := &matcher{forest: f, needs: make(map[string]need)}
		seen := make(map[string]bool) // a scope and the same as optional are one here
		for _, scope := range graph.Roots() {
			if seen[scope.Name()] {
				continue
			}
			seen[scope.Name()] = true
			for _, path := range m.paths(nil, m.match(roots[scope.Name()], scope), scope, nil) {
				missing = append(missing, Missing{Element: i, Path: path})
			}
		}
	}
	return missing, nil
}

// matcher compares trees with the scopes of one graph. It looks at every consent
// and every scope once, because a consent has the name of one scope at most. The
// recursion follows the scopes, whose depth [scopes.Parse] limits.
type matcher struct {
	forest *Forest
	needs  map[string]need // by name, made at the first visit
}

// need is what a scope depends on.
type need struct {
	dependencies []scopes.Node
	byName       map[string]scopes.Node
}

// shortfall says how much of a scope is missing.
type shortfall struct {
	count  int
	absent bool                 // the scope itself
	below  map[string]shortfall // what is there of its dependencies
}

// match finds the candidate that lacks least; all of them have the name of the
// scope.
func (m *matcher) match(candidates []int, scope scopes.Node) shortfall {
	if len(candidates) == 0 {
		return shortfall{count: 1, absent: true}
	}
	need := m.need(scope)
	if len(need.dependencies) == 0 {
		return shortfall{}
	}
	least := shortfall{count: math.MaxInt}
	for _, candidate := range candidates {
		var groups map[string][]int // most candidates have none
		for _, child := range m.forest.nodes[candidate].children {
			name := m.forest.nodes[child].consent.ScopeName
			if _, needed := need.byName[name]; needed {
				if groups == nil {
					groups = make(map[string][]int)
				}
				groups[name] = append(groups[name], child)
			}
		}
		s := shortfall{count: len(need.dependencies) - len(groups)}
		for name, group := range groups {
			if s.below == nil {
				s.below = make(map[string]shortfall, len(groups))
			}
			s.below[name] = m.match(group, need.byName[name])
			s.count += s.below[name].count
		}
		if s.count < least.count {
			least = s
		}
		if least.count == 0 {
			break
		}
	}
	return least
}

func (m *matcher) need(scope scopes.Node) need {
	if known, ok := m.needs[scope.Name()]; ok {
		return known
	}
	dependencies := scope.Dependencies()
	byName := make(map[string]scopes.Node, len(dependencies))
	for _, dependency := range dependencies {
		byName[dependency.Name()] = dependency
	}
	made := need{dependencies: dependencies, byName: byName}
	m.needs[scope.Name()] = made
	return made
}

// paths appends the paths to what is missing to list.
func (m *matcher) paths(list [][]string, s shortfall, scope scopes.Node, above []string) [][]string {
	if s.count == 0 {
		return list
	}
	here := append(slices.Clone(above), scope.Name())
	if s.absent {
		return append(list, here)
	}
	for _, dependency := range m.need(scope).dependencies {
		below, there := s.below[dependency.Name()]
		if !there {
			below = shortfall{count: 1, absent: true}
		}
		list = m.paths(list, below, dependency, here)
	}
	return list
}
