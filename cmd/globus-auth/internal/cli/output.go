package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
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
	return flag
}

// formatFlag adds the flag --format. The first format is the default.
func formatFlag(command *cobra.Command, formats ...string) *choice {
	return choiceFlag(command, "format", formats[0], "output format", formats...)
}

// print writes a value as JSON, or its rows as a table.
func (r *runner) print(format *choice, value any, rows table) error {
	if format.value == "json" {
		return printJSON(r.Out, value, "  ")
	}
	return rows.print(r.Out)
}

// printJSON writes JSON in which every character that a terminal may act upon is
// escaped, also those of a json.RawMessage.
func printJSON(out io.Writer, value any, indent string) error {
	var text, escaped bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	for _, r := range text.String() { // invalid UTF-8 becomes U+FFFD
		if unicode.IsPrint(r) || r == '\n' {
			escaped.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
	}
	_, err := out.Write(escaped.Bytes())
	return err
}

// table is rows of cells in columns, as wide as a terminal shows them: a letter may be
// two columns wide, or none.
type table [][]string

func (t *table) row(cells ...string) {
	for i, text := range cells {
		cells[i] = cell(text)
	}
	*t = append(*t, cells)
}

func (t table) print(out io.Writer) error {
	widths := map[int]int{}
	for _, row := range t {
		for i, text := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(text))
		}
	}
	w := bufio.NewWriter(out)
	for _, row := range t {
		last := len(row) - 1
		for i, text := range row[:last] {
			_, _ = w.WriteString(text + strings.Repeat(" ", widths[i]-uniseg.StringWidth(text)+2))
		}
		_, _ = w.WriteString(row[last] + "\n")
	}
	return w.Flush()
}

// cell replaces what would move the cursor or reverse the line.
func cell(text string) string {
	const zeroWidthJoiner = '\u200d' // holds the parts of one emoji together
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
