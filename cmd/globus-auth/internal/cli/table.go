package cli

import (
	"bufio"
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// table lines up what anybody may have written, as a terminal shows it: a letter
// may be two columns wide, or none.
type table struct {
	rows   [][]string
	widths []int
}

// row adds a row.
func (t *table) row(cells ...string) {
	for i, text := range cells {
		cells[i] = cell(text)
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], uniseg.StringWidth(cells[i]))
	}
	t.rows = append(t.rows, cells)
}

func (t *table) print(out io.Writer) error {
	w := bufio.NewWriter(out)
	for _, row := range t.rows {
		for i, text := range row {
			_, _ = w.WriteString(text)
			if i == len(row)-1 {
				text = "\n"
			} else {
				text = strings.Repeat(" ", t.widths[i]-uniseg.StringWidth(text)+2)
			}
			_, _ = w.WriteString(text)
		}
	}
	return w.Flush()
}

// cell keeps a name that somebody chose from moving the cursor or turning the
// line around.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == zeroWidthJoiner {
			return r
		}
		return '?'
	}, text)
}

// zeroWidthJoiner holds the parts of one emoji together.
const zeroWidthJoiner = '\u200d'

// cut shortens a text to a number of columns.
func cut(text string, columns int) string {
	if uniseg.StringWidth(text) <= columns {
		return text
	}
	var b strings.Builder
	rest, state, width := text, -1, 1 // of the ellipsis
	for rest != "" {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if width += w; width > columns {
			break
		}
		b.WriteString(cluster)
	}
	return b.String() + "…"
}
