package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Line makes text safe to print on one line: control, format and invalid
// characters become spaces, spaces in a row become one, and what exceeds limit
// bytes is cut and ends in an ellipsis.
func Line(text string, limit int) string {
	var line strings.Builder
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) }) {
		if line.Len() > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(word)
		if line.Len() > limit {
			return strings.TrimRight(strings.ToValidUTF8(line.String()[:limit-len(ellipsis)], ""), " ") + ellipsis
		}
	}
	return line.String()
}
