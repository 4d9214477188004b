package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/itchyny/gojq"
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
