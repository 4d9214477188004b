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
	if len(text) <= limit && isClean(text) {
		return text
	}
	var b strings.Builder
	b.Grow(min(len(text), limit) + utf8.UTFMax)
	space := false
	for _, r := range text {
		if r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if b.Len() > limit {
			end := limit - len(ellipsis)
			for !utf8.RuneStart(b.String()[end]) {
				end--
			}
			return strings.TrimRight(b.String()[:end], " ") + ellipsis
		}
	}
	return b.String()
}

// isClean reports whether Line has nothing to replace, the usual case.
func isClean(text string) bool {
	previous := byte(' ')
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == ' ' && previous == ' ' {
			return false
		}
		previous = c
	}
	return text == "" || previous != ' '
}
