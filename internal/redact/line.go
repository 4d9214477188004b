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
			end := limit - len(ellipsis)
			for !utf8.RuneStart(line.String()[end]) {
				end--
			}
			return strings.TrimRight(line.String()[:end], " ") + ellipsis
		}
	}
	return line.String()
}
