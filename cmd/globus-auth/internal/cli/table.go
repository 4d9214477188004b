package cli

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
)

// table is rows of cells in columns, as wide as a terminal shows them: a letter may be
// two columns wide, or none. Times are written as RFC 3339 has them.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

// printTable writes a table. On a terminal it is no wider than that, its header is bold, and times are
// relative to now.
func (r *runner) printTable(t table) error {
	var l layout
	if isTerminal(r.Out) {
		now := time.Now()
		l = layout{r.columns(r.Out), func(text string) string { return relative(text, now) }, func(text string) string { return r.bold(r.Out, text) }}
	}
	return l.print(r.Out, t)
}

// layout is how a table is shown.
type layout struct {
	columns int                      // that there are; 0: any number
	cell    func(text string) string // nil: as it is
	paint   func(text string) string // marks the header; nil: not at all
}

const gap = 2 // between columns

// print writes a table. One that is too wide has cells of several lines, or else a block for each row.
func (l layout) print(out io.Writer, t table) error {
	var cells table
	for _, row := range t {
		var line []string
		for _, text := range row {
			if text = cell(text); l.cell != nil {
				text = l.cell(text)
			}
			line = append(line, text)
		}
		cells = append(cells, line)
	}
	w := bufio.NewWriter(out)
	widths, fits := l.fit(cells)
	switch {
	case fits:
	case cells.hasHeader():
		l.blocks(w, cells)
		return w.Flush()
	case len(widths) == 2:
		l.paint = nil // it has no header
		l.definitions(w, "", cells)
		return w.Flush()
	}
	for i, row := range cells {
		l.row(w, row, widths, i == 0 && cells.hasHeader())
	}
	return w.Flush()
}

// fit returns the widths of the columns. The last columns are narrowed down to their longest word.
func (l layout) fit(t table) (widths []int, fits bool) {
	var least []int
	total := -gap
	for _, row := range t {
		for i, text := range row {
			if i == len(widths) {
				widths, least, total = append(widths, 0), append(least, 0), total+gap
			}
			grown := max(0, uniseg.StringWidth(text)-widths[i])
			widths[i], total = widths[i]+grown, total+grown
			for word := range strings.FieldsSeq(text) {
				least[i] = max(least[i], uniseg.StringWidth(word))
			}
		}
	}
	for i := len(widths) - 1; i > 0 && l.columns > 0 && total > l.columns; i-- {
		cut := min(total-l.columns, max(widths[i]-least[i], 0))
		widths[i], total = widths[i]-cut, total-cut
	}
	return widths, l.columns == 0 || total <= l.columns
}

// row writes one row, in as many lines as its cells need.
func (l layout) row(w *bufio.Writer, row []string, widths []int, header bool) {
	lines := make([][]string, len(row))
	height := 0
	for i, text := range row {
		if lines[i] = []string{text}; uniseg.StringWidth(text) > widths[i] {
			lines[i] = wrap(text, widths[i])
		}
		height = max(height, len(lines[i]))
	}
	for n := range height {
		pad := 0
		for i := range row {
			text := ""
			if n < len(lines[i]) {
				text = lines[i][n]
			}
			if text != "" {
				_, _ = w.WriteString(strings.Repeat(" ", pad))
				pad = 0
			}
			pad += widths[i] - uniseg.StringWidth(text) + gap
			if header && l.paint != nil {
				text = l.paint(text)
			}
			_, _ = w.WriteString(text)
		}
		_, _ = w.WriteString("\n")
	}
}

// blocks writes the rows below one another, with the header beside each cell.
func (l layout) blocks(w *bufio.Writer, t table) {
	for n, row := range t[1:] {
		if n > 0 {
			_, _ = w.WriteString("\n")
		}
		var pairs table
		for i, text := range row {
			pairs.row(t[0][i], text)
		}
		l.definitions(w, "", pairs)
	}
}

// definitions writes names with their meanings beside them. Beside a long name, or where a long word would not fit,
// the meaning has lines of its own.
func (l layout) definitions(w io.StringWriter, indent string, pairs table) {
	column, longest, least := 0, 0, len(indent)+2*gap
	for _, pair := range pairs {
		if width := uniseg.StringWidth(pair[0]); width <= min(34, l.columns/2) {
			column = max(column, len(indent)+width+gap)
		}
		for word := range strings.FieldsSeq(pair[1]) {
			if width := uniseg.StringWidth(word); width <= l.columns-least {
				longest = max(longest, width)
			}
		}
	}
	column = max(least, min(column, l.columns-longest))
	for _, pair := range pairs {
		name, used := indent+pair[0], len(indent)+uniseg.StringWidth(pair[0])
		if l.paint != nil {
			name = indent + l.paint(pair[0])
		}
		if used+gap > column {
			_, _ = w.WriteString(name + "\n")
			name, used = "", 0
		}
		for _, line := range wrap(pair[1], l.columns-column) {
			_, _ = w.WriteString(name + strings.Repeat(" ", column-used) + line + "\n")
			name, used = "", 0
		}
	}
}

// hasHeader reports whether the first row names the columns: in capitals.
func (t table) hasHeader() bool {
	for _, text := range t[0] {
		if text == "" || strings.ToUpper(text) != text || !strings.ContainsFunc(text, unicode.IsLetter) {
			return false
		}
	}
	return len(t[0]) > 2
}

// relative is a time of RFC 3339 as seen from now; any other text is as it is.
func relative(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	left := at.Sub(now).Truncate(time.Second)
	words := ""
	switch d := left.Abs(); {
	case d < time.Minute:
		words = fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		words = fmt.Sprintf("%d min", d/time.Minute)
	case d < 72*time.Hour:
		words = fmt.Sprintf("%d h", d/time.Hour)
	case d < 365*24*time.Hour:
		words = fmt.Sprintf("%d days", d/(24*time.Hour))
	default:
		return at.UTC().Format(time.DateOnly)
	}
	if left < 0 {
		return words + " ago"
	}
	return "in " + words
}

// printCSV writes the table as CSV (RFC 4180).
func (t table) printCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	for _, row := range t {
		var cells []string
		for _, text := range row {
			cells = append(cells, printable(text, "\n\t"))
		}
		_ = w.Write(cells) // Flush reports the error
	}
	w.Flush()
	return w.Error()
}

// cell replaces what would move the cursor or reverse the line.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text, "")
}

// printable replaces what a terminal may act upon, except some characters.
func printable(text, except string) string {
	const zeroWidthJoiner = '\u200d' // holds the parts of one emoji together
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == zeroWidthJoiner || strings.ContainsRune(except, r) {
			return r
		}
		return '?'
	}, text)
}
