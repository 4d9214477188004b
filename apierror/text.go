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
	if isClean(text) && len(text) <= limit {
		return text
	}
	var b strings.Builder
	b.Grow(min(len(text), limit))
	blank := false
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		if r == ' ' {
			blank = b.Len() > 0
			continue
		}
		size := utf8.RuneLen(r)
		if blank {
			size++
		}
		if b.Len()+size+len(ellipsis) > limit {
			// Only what does not fit is cut; text that ends here is whole.
			b.WriteString(ellipsis)
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
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
