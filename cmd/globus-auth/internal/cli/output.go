package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/itchyny/gojq"
	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// output is how a verb prints its data.
type output struct {
	format *choice
	filter *gojq.Code // nil: print everything
}

// formats are the output formats of most verbs.
func formats() []string { return []string{"table", "json", "jsonl", "yaml", "csv"} }

// outputFlags adds the flags --format and --jq. The format of the settings replaces the standard one.
func (r *runner) outputFlags(command *cobra.Command, standard string) *output {
	o := &output{format: choiceFlag(command, "format", cmp.Or(r.format, standard), "output format", formats()...)}
	command.Flags().Func("jq", "print what a jq `filter` makes of the JSON", func(text string) error {
		query, err := gojq.Parse(text)
		if err == nil {
			o.filter, err = gojq.Compile(query)
		}
		return err
	})
	command.PreRunE = func(cmd *cobra.Command, _ []string) error { return exclude(cmd, "format", "jq") }
	return o
}

// plain reports whether data is printed for people, which some verbs draw as a tree.
func (o *output) plain() bool { return o.filter == nil && o.format.value == "table" }

// streams reports whether objects are printed one by one.
func (o *output) streams() bool { return o.filter == nil && o.format.value == "jsonl" }

// print writes a value, or its rows as a table or CSV.
func (r *runner) print(ctx context.Context, o *output, value any, rows table) error {
	document, err := json.Marshal(value)
	switch {
	case err != nil:
		return err
	case o.filter != nil:
		return r.printFiltered(ctx, o.filter, document)
	}
	switch o.format.value {
	case "json":
		return printJSON(r.Out, value, "  ")
	case "jsonl":
		items, _ := records(document)
		for _, item := range items {
			if err := printJSON(r.Out, item, ""); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		return printYAML(r.Out, value)
	case "csv":
		return rows.printCSV(r.Out)
	}
	return r.printTable(rows)
}

// printFiltered writes what a filter makes of a document: strings as they are, other values as JSON.
func (r *runner) printFiltered(ctx context.Context, filter *gojq.Code, document []byte) error {
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		return err
	}
	results := filter.RunWithContext(ctx, value)
	for {
		result, more := results.Next()
		if !more {
			return nil
		}
		var err error
		switch result := result.(type) {
		case error:
			if halt, ok := errors.AsType[*gojq.HaltError](result); ok && halt.Value() == nil {
				return nil
			}
			return failf("--jq: %s", cell(result.Error()))
		case string:
			_, err = fmt.Fprintln(r.Out, printable(result, "\n\t"))
		default:
			err = printJSON(r.Out, result, "")
		}
		if err != nil {
			return err
		}
	}
}

// printYAML writes YAML, escaped as JSON is.
func printYAML(out io.Writer, value any) error {
	document, err := encodeJSON(value, "")
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(escape(document, `\U%08x`)), &node); err != nil { // JSON is YAML
		return err
	}
	plainStyle(&node)
	var text strings.Builder
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return err
	}
	_, err = io.WriteString(out, escape(text.String(), `\U%08x`))
	return err
}

// plainStyle changes the style of JSON to that of YAML, but quotes what has to be escaped.
func plainStyle(node *yaml.Node) {
	node.Style = 0
	if strings.ContainsFunc(node.Value, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
		node.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range node.Content {
		plainStyle(child)
	}
}

// printJSON writes JSON in which every character that a terminal may act upon is
// escaped, also those of a json.RawMessage.
func printJSON(out io.Writer, value any, indent string) error {
	text, err := encodeJSON(value, indent)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, escape(text, ""))
	return err
}

func encodeJSON(value any, indent string) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	err := encoder.Encode(value)
	return text.String(), err
}

// escape replaces every character that a terminal may act upon. Those beyond 16 bits are written in
// a format, or as JSON has them.
func escape(text, far string) string {
	var escaped strings.Builder
	for _, r := range text { // invalid UTF-8 becomes U+FFFD
		switch {
		case unicode.IsPrint(r) || r == '\n':
			escaped.WriteRune(r)
		case far != "" && r > 0xffff:
			fmt.Fprintf(&escaped, far, r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&escaped, `\u%04x`, unit)
			}
		}
	}
	return escaped.String()
}

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
	if !fits && cells.hasHeader() {
		l.blocks(w, cells)
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
	header := 0
	for _, name := range t[0] {
		header = max(header, uniseg.StringWidth(name))
	}
	for n, row := range t[1:] {
		if n > 0 {
			_, _ = w.WriteString("\n")
		}
		for i, text := range row {
			name := t[0][i] + strings.Repeat(" ", header-uniseg.StringWidth(t[0][i])+gap)
			for _, line := range wrap(text, l.columns-header-gap) {
				_, _ = w.WriteString(l.paint(name) + line + "\n")
				name = strings.Repeat(" ", header+gap)
			}
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
