package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/itchyny/gojq"
	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }

// Type is shown in the help in place of a value.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set takes a word of the command line.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
	}
	c.value = word
	return nil
}

// choiceFlag adds a flag that takes one of some words.
func choiceFlag(command *cobra.Command, name, value, usage string, words ...string) *choice {
	flag := &choice{value, words}
	command.Flags().Var(flag, name, usage)
	_ = command.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return flag
}

// output is how a verb prints its data.
type output struct {
	format *choice
	filter *gojq.Code // nil: print everything
}

// formats are the output formats of most verbs.
func formats() []string { return []string{"table", "json", "jsonl", "yaml", "csv"} }

// outputFlags adds the flags --format and --jq.
func outputFlags(command *cobra.Command, standard string) *output {
	o := &output{format: choiceFlag(command, "format", standard, "output format", formats()...)}
	command.Flags().Func("jq", "print what a jq `filter` makes of the JSON", func(text string) error {
		query, err := gojq.Parse(text)
		if err == nil {
			o.filter, err = gojq.Compile(query)
		}
		return err
	})
	command.MarkFlagsMutuallyExclusive("format", "jq")
	return o
}

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
	return rows.print(r.Out)
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
// two columns wide, or none.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

// print writes the table, no wider than a terminal is.
func (t table) print(out io.Writer) error {
	columns := 0
	if file, ok := out.(*os.File); ok {
		columns, _, _ = term.GetSize(int(file.Fd())) // 0 if it is no terminal
	}
	return t.printWithin(out, columns)
}

const gap, minWidth = 2, 8 // between columns, and of a column that is cut

// printWithin cuts the widest columns of a table that has a header until it fits; 0 cuts nothing.
func (t table) printWithin(out io.Writer, columns int) error {
	var cells table
	var widths []int
	total := -gap
	for _, row := range t {
		var line []string
		for i, text := range row {
			text = cell(text)
			if i == len(widths) {
				widths, total = append(widths, 0), total+gap
			}
			if grown := uniseg.StringWidth(text) - widths[i]; grown > 0 {
				widths[i], total = widths[i]+grown, total+grown
			}
			line = append(line, text)
		}
		cells = append(cells, line)
	}
	for i := len(widths) - 1; i >= 0 && columns > 0 && total > columns; i-- {
		cut := min(total-columns, max(widths[i]-minWidth, 0))
		widths[i], total = widths[i]-cut, total-cut
	}
	w := bufio.NewWriter(out)
	for _, row := range cells {
		for i, text := range row {
			text = truncate(text, widths[i])
			if i < len(row)-1 {
				text += strings.Repeat(" ", widths[i]-uniseg.StringWidth(text)+gap)
			}
			_, _ = w.WriteString(text)
		}
		_, _ = w.WriteString("\n")
	}
	return w.Flush()
}

// truncate cuts a text to a width.
func truncate(text string, width int) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	cut := ""
	for clusters := uniseg.NewGraphemes(text); clusters.Next(); {
		if uniseg.StringWidth(cut+clusters.Str()) >= width {
			break
		}
		cut += clusters.Str()
	}
	return cut + "…"
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
