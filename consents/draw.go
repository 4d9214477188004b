package consents

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// drawDepth limits the indentation of a drawing. Real trees have four levels.
const drawDepth = 64

// String draws the trees, one line for each consent, sorted by consent ID: the
// scope with a * if it can be revoked alone, the consent ID, the client and, if
// it is not "approved", the status. Text that holds anything but printable ASCII
// without spaces is quoted and escaped, so that no name can pass for a part of
// the drawing. Of a tree deeper than 64 the lower part is only counted. An empty
// forest is an empty string.
func (f *Forest) String() string {
	var b strings.Builder
	type line struct {
		at     int
		indent string // of what is below
		lead   string
		depth  int
	}
	var stack []line
	for _, root := range slices.Backward(f.roots) {
		stack = append(stack, line{at: root, depth: 1})
	}
	for len(stack) > 0 {
		current := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		b.WriteString(current.lead)
		b.WriteString(f.describe(current.at))
		b.WriteByte('\n')
		children := f.nodes[current.at].children
		if len(children) > 0 && current.depth == drawDepth {
			fmt.Fprintf(&b, "%s└── ... %d more below\n", current.indent, f.count(children))
			continue
		}
		for i, child := range slices.Backward(children) {
			next := line{at: child, indent: current.indent + "│   ", lead: current.indent + "├── ", depth: current.depth + 1}
			if i == len(children)-1 {
				next.indent, next.lead = current.indent+"    ", current.indent+"└── "
			}
			stack = append(stack, next)
		}
	}
	return b.String()
}

func (f *Forest) describe(at int) string {
	consent := f.nodes[at].consent
	mark := ""
	if consent.AtomicallyRevocable {
		mark = "*"
	}
	text := fmt.Sprintf("%s%s (consent %d, client %s", mark, quoteOdd(consent.ScopeName), consent.ID, quoteOdd(consent.Client))
	if status := string(consent.Status); status != "approved" && status != "" {
		text += ", status " + quoteOdd(status)
	}
	return text + ")"
}

// count returns how many consents there are in some trees.
func (f *Forest) count(trees []int) int {
	all := slices.Clone(trees)
	for i := 0; i < len(all); i++ {
		all = append(all, f.nodes[all[i]].children...)
	}
	return len(all)
}

// quoteOdd quotes what is not a plain word.
func quoteOdd(text string) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
	if text == "" || strings.ContainsFunc(text, odd) {
		return strconv.QuoteToASCII(text)
	}
	return text
}
