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
	b := newBuilder(len(text))
	if err := b.scan(-1, text); err != nil {
		return nil, err
	}
	return b.finish()
}

// edge says that from depends on to; from 0 is the top level, a node n is n+1.
type edge struct {
	from, to int32
	optional bool
	element  int32 // where it was read, for errors
	offset   int32
}

// builder collects edges from one or more texts and makes the graph.
type builder struct {
	length int
	index  map[string]int32
	names  []string
	edges  []edge
	texts  []string // by element, for errors
}

func newBuilder(length int) *builder {
	// A Globus scope has 40 to 80 characters; hostile text of one-letter scopes
	// makes the tables grow, which is still linear.
	guess := min(length, maxText)/32 + 4
	return &builder{
		length: length,
		index:  make(map[string]int32, guess),
		names:  make([]string, 0, guess),
		edges:  make([]edge, 0, guess),
	}
}

func (b *builder) fail(kind error, element, offset int, format string, args ...any) *ParseError {
	e := &ParseError{Kind: kind, Element: element, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	if element >= 0 && element < len(b.texts) {
		e.text = b.texts[element]
	}
	return e
}

// addElement reads an element of a list, which has to be exactly one scope.
func (b *builder) addElement(element int, text string) error {
	b.texts = append(b.texts, text)
	switch {
	case text == "":
		return b.fail(ErrSyntax, element, 0, "the element is empty; remove it or name a scope")
	case text[0] == ' ':
		return b.fail(ErrSyntax, element, 0, "a space before the scope; remove it")
	case text[len(text)-1] == ' ':
		return b.fail(ErrSyntax, element, len(text)-1, "a space after the scope; remove it")
	}
	before := len(b.edges)
	if err := b.scan(element, text); err != nil {
		return err
	}
	for _, e := range b.edges[before+1:] {
		if e.from == 0 {
			return b.fail(ErrSyntax, element, int(e.offset),
				"a second scope in one element; give each scope an element of its own")
		}
	}
	return nil
}

// frame is an open bracket.
type frame struct {
	parent int32 // 0 is the top level, else node+1
	offset int   // of the bracket
	filled bool  // a scope has been read in it
}

// scan reads one text.
func (b *builder) scan(element int, text string) error {
	if b.length > maxText {
		return b.fail(ErrTooLarge, element, 0, "%d bytes of text; at most %d are read", b.length, maxText)
	}
	var (
		stack [maxDepth]frame
		depth int        // of stack; stack[0] is the top level
		last  int32 = -1 // the node that a '[' would belong to
	)
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ':
			last = -1
			i++
		case '[':
			if err := b.checkOpen(element, text, i, last, depth); err != nil {
				return err
			}
			depth++
			stack[depth] = frame{parent: last + 1, offset: i}
			last = -1
			i++
		case ']':
			if err := b.checkClose(element, text, i, depth, stack[depth].filled); err != nil {
				return err
			}
			depth--
			last = -1
			i++
		default:
			start, optional := i, c == '*'
			if optional {
				if last >= 0 {
					return b.fail(ErrSyntax, element, i,
						"'*' in the middle of a word; put a space before it, or remove it")
				}
				i++
			}
			first := i
			for i < len(text) && isNameByte(text[i]) {
				i++
			}
			if i == first || i < len(text) && !isDelimiter(text[i]) {
				return b.failName(element, text, i, optional)
			}
			last = b.node(text[first:i])
			b.edges = append(b.edges, edge{
				from: stack[depth].parent, to: last, optional: optional,
				element: int32(element), offset: int32(start), //nolint:gosec // Bounded by maxText.
			})
			stack[depth].filled = true
		}
	}
	if depth > 0 {
		return b.fail(ErrSyntax, element, stack[depth].offset, "'[' is never closed; add the missing ']'")
	}
	return nil
}

// node returns the number of a name, giving it one at its first occurrence.
func (b *builder) node(name string) int32 {
	if n, ok := b.index[name]; ok {
		return n
	}
	n := int32(len(b.names)) //nolint:gosec // Bounded by maxText.
	b.index[name] = n
	b.names = append(b.names, name)
	return n
}

func (b *builder) checkOpen(element int, text string, i int, last int32, depth int) error {
	if last < 0 {
		if i > 0 && text[i-1] == ' ' {
			return b.fail(ErrSyntax, element, i,
				"'[' after a space; dependencies follow their scope directly, as in foo[bar]")
		}
		return b.fail(ErrSyntax, element, i, "'[' without a scope before it; write foo[bar]")
	}
	if depth+1 >= maxDepth {
		return b.fail(ErrTooLarge, element, i, "brackets nested more than %d deep", maxDepth-1)
	}
	return nil
}

func (b *builder) checkClose(element int, text string, i, depth int, filled bool) error {
	switch {
	case depth == 0:
		return b.fail(ErrSyntax, element, i, "']' without a '[' before it; remove it")
	case !filled:
		return b.fail(ErrSyntax, element, i, "empty brackets; name a dependency or remove them")
	case i+1 < len(text) && text[i+1] != ' ' && text[i+1] != ']':
		return b.fail(ErrSyntax, element, i+1, "%s directly after ']'; put a space between two scopes", show(text[i+1]))
	}
	return nil
}

// failName says why no name could be read up to i.
func (b *builder) failName(element int, text string, i int, optional bool) error {
	if i == len(text) {
		return b.fail(ErrSyntax, element, i, "the text ends after '*'; a scope must follow")
	}
	if optional && isDelimiter(text[i]) {
		return b.fail(ErrSyntax, element, i, "%q directly after '*'; a scope must follow", text[i])
	}
	switch c := text[i]; c {
	case '\t', '\n', '\r':
		return b.fail(ErrSyntax, element, i, "%s in the text; separate scopes with spaces", show(c))
	case '"':
		return b.fail(ErrSyntax, element, i,
			"'\"' cannot be part of a scope; if you did not write it, it marks an ID that is not a UUID or a dependency that is not one scope")
	default:
		return b.fail(ErrSyntax, element, i, "%s cannot be part of a scope (RFC 6749 section 3.3)", show(c))
	}
}

// show writes a byte for a message. Beyond ASCII it may be a piece of a letter.
func show(c byte) string {
	if c < utf8.RuneSelf {
		return strconv.QuoteRune(rune(c))
	}
	return fmt.Sprintf("byte 0x%02x, which is not ASCII,", c)
}

// isDelimiter reports whether the byte ends a name.
func isDelimiter(c byte) bool {
	return c == ' ' || c == '[' || c == ']' || c == '*'
}

// isNameByte reports whether the byte may be part of a name: scope-token of RFC
// 6749 section 3.3 without [, ] and *.
func isNameByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != '*' && (c < '[' || c > ']')
}
