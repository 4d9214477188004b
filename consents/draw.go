package consents

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/globusauth/globusauth/gen"
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
	for _, root := range f.roots {
		draw(&b, root, 1, "", "")
	}
	return b.String()
}

// draw draws one tree: lead is what stands before its first line, indent before the others.
func draw(b *strings.Builder, n *Node, depth int, lead, indent string) {
	fmt.Fprintf(b, "%s%s\n", lead, describe(&n.consent))
	if len(n.children) > 0 && depth == drawDepth {
		count := 0
		for range below(n.children) {
			count++
		}
		fmt.Fprintf(b, "%s└── ... %d more below\n", indent, count)
		return
	}
	for i, child := range n.children {
		if i < len(n.children)-1 {
			draw(b, child, depth+1, indent+"├── ", indent+"│   ")
		} else {
			draw(b, child, depth+1, indent+"└── ", indent+"    ")
		}
	}
}

func describe(consent *gen.Consent) string {
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

// quoteOdd quotes what is not a plain word.
func quoteOdd(text string) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }
	if text == "" || strings.ContainsFunc(text, odd) {
		return strconv.QuoteToASCII(text)
	}
	return text
}
