package scopes

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

const (
	// maxDepth is the longest chain of dependencies. Real ones have three.
	maxDepth = 64
	// maxText is the longest text, read or written. A URL holds a hundredth.
	maxText = 1 << 20
)

// Parse reads a scope string. The package comment has the grammar, the meaning
// and the limits. Text of spaces alone gives an empty graph.
//
// The error is a [*ParseError] with the position; it matches [ErrSyntax],
// [ErrCycle] or [ErrTooLarge].
func Parse(text string) (*Graph, error) {
	p, err := newParser(text)
	if err == nil {
		p.text = text
		err = p.list(0, 0)
	}
	if err != nil {
		return nil, err
	}
	return p.finish()
}

// parser reads one or more texts into one graph.
type parser struct {
	graph   *Graph
	index   map[string]int32 // of the vertices, by name
	texts   []string         // all of them, for errors
	text    string           // the one that is read
	element int              // its number, -1 for the only one
	at      int              // the position in it
}

func newParser(texts ...string) (*parser, error) {
	size := max(0, len(texts)-1) // the spaces between them
	for _, text := range texts {
		size += len(text)
	}
	// A Globus scope has 40 to 80 characters; hostile text of one-letter scopes
	// makes the tables grow, which is still linear.
	guess := min(size, maxText)/32 + 4
	p := &parser{graph: &Graph{vertices: make([]vertex, 1, guess)}, index: make(map[string]int32, guess), texts: texts, element: -1}
	if size > maxText {
		return nil, p.fail(ErrTooLarge, -1, 0, "%d bytes of text; at most %d are read", size, maxText)
	}
	return p, nil
}

func (p *parser) fail(kind error, element, offset int, format string, args ...any) *ParseError {
	return &ParseError{Kind: kind, Element: element, Offset: offset, Reason: fmt.Sprintf(format, args...), text: p.texts[max(element, 0)]}
}

// unexpected says that there is something else where a scope should begin or end.
func (p *parser) unexpected(where string) error {
	found := "the end of the text"
	if p.at < len(p.text) {
		found = show(p.text[p.at])
	}
	if p.peek() == '"' {
		where = "cannot be part of a scope; if you did not write it, it marks an ID that is not a UUID or a dependency that is not one scope"
	}
	return p.fail(ErrSyntax, p.element, p.at, "%s %s", found, where)
}

// show writes a byte for a message. Beyond ASCII it may be a piece of a letter.
func show(c byte) string {
	if c < utf8.RuneSelf {
		return strconv.QuoteRune(rune(c))
	}
	return fmt.Sprintf("byte 0x%02x, which is not ASCII,", c)
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// list reads scopes up to the end or, below the top level, a bracket.
func (p *parser) list(from int32, depth int) error {
	for first := true; ; first = false {
		for p.peek() == ' ' {
			p.at++
		}
		if p.at == len(p.text) || depth > 0 && !first && p.peek() == ']' {
			return nil
		}
		if err := p.scope(from, depth); err != nil {
			return err
		}
	}
}

// scope reads one scope with its dependencies, as a dependency of from.
func (p *parser) scope(from int32, depth int) error {
	start := p.at
	if p.peek() == '*' {
		p.at++
	}
	first := p.at
	for p.at < len(p.text) && isNameByte(p.text[p.at]) {
		p.at++
	}
	if p.at == first {
		return p.unexpected(`where a scope must begin, as in "a b[c *d]"`)
	}
	to := p.vertex(p.text[first:p.at])
	out := &p.graph.vertices[from].out
	*out = append(*out, edge{to: to, mark: p.text[start:first], element: int32(p.element), offset: int32(start)}) //nolint:gosec // Bounded by maxText.
	if bracket := p.at; p.peek() == '[' {
		if depth+1 >= maxDepth {
			return p.fail(ErrTooLarge, p.element, bracket, "brackets nested more than %d deep", maxDepth-1)
		}
		p.at++
		if err := p.list(to, depth+1); err != nil {
			return err
		}
		if p.peek() != ']' {
			return p.fail(ErrSyntax, p.element, bracket, "'[' is never closed; add the missing ']'")
		}
		p.at++
	}
	if p.at < len(p.text) && p.peek() != ' ' && p.peek() != ']' {
		return p.unexpected("directly after a scope; separate scopes with spaces")
	}
	return nil
}

// vertex returns the number of a name, giving it one at its first occurrence.
func (p *parser) vertex(name string) int32 {
	n, ok := p.index[name]
	if !ok {
		n = int32(len(p.graph.vertices)) //nolint:gosec // Bounded by maxText.
		p.index[name] = n
		p.graph.vertices = append(p.graph.vertices, vertex{name: name})
	}
	return n
}

// isNameByte reports whether the byte may be part of a name: scope-token of RFC
// 6749 section 3.3 without [, ] and *.
func isNameByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != '*' && (c < '[' || c > ']')
}
