package apierror

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// clean makes text from outside safe to print on one line: control, format and
// invalid characters become blanks, blanks in a row become one, and what exceeds
// limit bytes is cut and ends in an ellipsis.
func clean(text string, limit int) string {
	if len(text) <= limit && isClean(text) {
		return text
	}
	var b strings.Builder
	b.Grow(min(len(text), limit) + utf8.UTFMax)
	blank := false
	for _, r := range text {
		if r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) {
			blank = b.Len() > 0
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
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

// isClean reports whether clean has nothing to replace, the usual case.
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
