package scopes

import (
	"slices"
	"strings"
)

// Scope is the text of one scope as a request carries it: a name, an optional
// leading * and optional dependencies in brackets. It is not checked until it
// is parsed or validated, see [List.Validate].
type Scope string

// Name returns the name alone, without the optional mark and dependencies. This
// is what the scope of a token response lists.
func (s Scope) Name() string {
	name := strings.TrimPrefix(string(s), "*")
	if i := strings.IndexByte(name, '['); i >= 0 {
		name = name[:i]
	}
	return name
}

// Optional returns the scope marked as optional. It is meant for a dependency: a
// consent that includes it can lose it again without being lost itself.
func (s Scope) Optional() Scope {
	if strings.HasPrefix(string(s), "*") {
		return s
	}
	return "*" + s
}

// With returns the scope with more dependencies, behind those it has. Without
// arguments it returns the scope unchanged.
//
// Each argument stays one dependency: what is not exactly one scope, such as
// "a b" or "a] b[c" from outside, is put in quotes, which [List.Validate]
// refuses.
func (s Scope) With(dependencies ...Scope) Scope {
	if len(dependencies) == 0 {
		return s
	}
	sealed := make(List, len(dependencies))
	for i, dependency := range dependencies {
		sealed[i] = dependency.sealed()
	}
	more := sealed.String()
	if head, ok := strings.CutSuffix(string(s), "]"); ok {
		return Scope(head + " " + more + "]")
	}
	return Scope(string(s) + "[" + more + "]")
}

// sealed returns a scope that cannot end the brackets it is put in, or stand for
// more than one dependency, and quotes one that could.
func (s Scope) sealed() Scope {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		}
		if depth < 0 || depth == 0 && s[i] == ' ' {
			return Scope(quoted(string(s)))
		}
	}
	if depth != 0 || s == "" {
		return Scope(quoted(string(s)))
	}
	return s
}

// List is a list of scopes, as a login or a token request asks for them. Each
// element is one scope.
type List []Scope

// String returns the elements joined by one space, as they are: the value of the
// scope parameter of a request. It does not parse; see [List.Validate].
func (l List) String() string {
	texts := make([]string, len(l))
	for i, s := range l {
		texts[i] = string(s)
	}
	return strings.Join(texts, " ")
}

// Validate checks a list that is to be requested: it is not empty, every element
// is exactly one well-formed scope, and all together keep within the limits and
// have no cycle.
//
// The error matches [ErrEmpty], [ErrSyntax], [ErrCycle] or [ErrTooLarge]; all but
// the first are a [*ParseError] with the element and the position.
func (l List) Validate() error {
	if len(l) == 0 {
		return ErrEmpty
	}
	_, err := l.Graph()
	return err
}

// Graph parses the elements into one graph, with the meaning [Parse] gives to
// their joined text. Unlike there, each element has to be exactly one scope, so
// that no element can close a bracket of another or add a second scope.
// An empty list gives an empty graph. The error is a [*ParseError].
func (l List) Graph() (*Graph, error) {
	texts := make([]string, len(l))
	for i, s := range l {
		texts[i] = string(s)
	}
	p, err := newParser(texts...)
	if err != nil {
		return nil, err
	}
	for p.element, p.text = range texts {
		p.at = 0
		if err := p.scope(0, 0); err != nil {
			return nil, err
		}
		if p.at < len(p.text) {
			return nil, p.unexpected("after the scope; each element is one scope")
		}
	}
	return p.finish()
}

// Merge puts lists of requirements together: equal scopes become one with the
// dependencies of all, and required beats optional, as described for [Parse].
// The result is canonical: sorted, every scope with its dependencies in full.
//
// The error is a [*ParseError]; its element counts through all lists.
func Merge(lists ...List) (List, error) {
	graph, err := slices.Concat(lists...).Graph()
	if err != nil {
		return nil, err
	}
	return graph.List(), nil
}

// Of makes a list of texts, such as the names that a token lists. They are not
// checked.
func Of(texts ...string) List {
	list := make(List, len(texts))
	for i, text := range texts {
		list[i] = Scope(text)
	}
	return list
}
