package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// variables are the environment of the command.
var variables = table{
	{tokenVariable, "access token for auth.globus.org, used instead of a stored login"},
	{clientVariable, "--client-id"},
	{secretVariable, "secret of that client, which then acts as itself"},
	{secretFileVariable, "--client-secret-file, for that client"},
	{configVariable, "configuration file"},
	{"GLOBUS_AUTH_FORMAT", "--format"},
	{"GLOBUS_AUTH_PROFILE", "--profile"},
	{"GLOBUS_AUTH_STORE", "--store"},
	{"GLOBUS_AUTH_STORE_DIR", "--store-dir"},
	{environmentVariable, "Globus environment (default production)"},
	{addressVariable, "--base-url"},
	{"GLOBUS_SDK_HTTP_TIMEOUT", "seconds for one request; -1 for no limit (default 60)"},
	{"GLOBUS_SDK_VERIFY_SSL", "on, off, or a file of CA certificates"},
	{"NO_COLOR", "if set, terminals get neither bold text nor colors"},
	{"COLUMNS", "width of help and tables (default that of the terminal)"},
}

// help writes the help of a command.
func (r *runner) help(command *cobra.Command, _ []string) {
	h := &helpText{runner: r, width: r.columns(r.Out)}
	if h.width == 0 {
		h.width = 80
	}
	h.width = min(h.width, 100) // longer lines are hard to read
	text := command.Long
	if text == "" {
		text = command.Short + "."
	}
	h.WriteString(reflow(text, h.width) + "\n")
	h.heading("Usage")
	use := "  " + command.CommandPath() + strings.TrimPrefix(command.Use, command.Name())
	if command.HasSubCommands() {
		use += " COMMAND"
	}
	h.WriteString(use + " [FLAGS]\n")
	if command.Example != "" {
		h.heading("Examples")
		h.WriteString(command.Example + "\n")
	}
	for _, group := range append(command.Groups(), &cobra.Group{Title: "Commands"}) {
		h.definitions(group.Title, commandsOf(command, group.ID))
	}
	var own, shared table
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		switch {
		case flag.Hidden:
		case r.shared.Lookup(flag.Name) == flag:
			shared = append(shared, describe(flag))
		default:
			own = append(own, describe(flag))
		}
	})
	h.definitions("Flags", own)
	if command.HasParent() {
		h.definitions("Service and login", shared)
	} else {
		h.definitions("Flags of the commands that call the service", shared)
		h.definitions("Environment", variables)
		h.definitions("Exit codes", exitCodes())
	}
	if command.HasSubCommands() {
		footer := fmt.Sprintf("%q shows the help of a command.", command.CommandPath()+" COMMAND --help")
		h.WriteString("\n" + reflow(footer, h.width) + "\n")
	}
	_, _ = io.WriteString(r.Out, h.String())
}

// helpText is a help text that is being written.
type helpText struct {
	*runner
	strings.Builder
	width int
}

func (h *helpText) heading(title string) { h.WriteString("\n" + h.bold(h.Out, title+":") + "\n") }

func (h *helpText) definitions(title string, rows table) {
	if len(rows) > 0 {
		h.heading(title)
		layout{columns: h.width}.definitions(h, "  ", rows)
	}
}

// commandsOf are the commands of a group.
func commandsOf(parent *cobra.Command, group string) (rows table) {
	for _, command := range parent.Commands() {
		if command.GroupID == group && !command.Hidden {
			rows.row(command.Name(), command.Short)
		}
	}
	return rows
}

// describe is a flag and what it does.
func describe(flag *pflag.Flag) []string {
	value, usage := pflag.UnquoteUsage(flag)
	switch value {
	case "string":
		value = "text"
	case "strings", "stringArray":
		value = "text,..."
	case "int", "integer":
		value = "number"
	}
	name := "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand + ", " + name
	}
	if value != "" {
		name += " " + strings.ToUpper(value)
	}
	if unset := []string{"", "false", "0", "0s", "[]"}; !slices.Contains(unset, flag.DefValue) && !strings.Contains(usage, "(default ") {
		usage += " (default " + flag.DefValue + ")"
	}
	return []string{name, usage}
}

// reflow wraps the paragraphs of a text. A line that begins with "  - " begins an item of a list.
func reflow(text string, width int) string {
	const bullet, indent = "  - ", "    "
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var items []string
		for line := range strings.SplitSeq(block, "\n") {
			if last := len(items) - 1; last < 0 || strings.HasPrefix(line, bullet) {
				items = append(items, line)
			} else {
				items[last] += " " + line
			}
		}
		for i, item := range items {
			if item, found := strings.CutPrefix(item, bullet); found {
				items[i] = bullet + strings.Join(wrap(item, width-len(bullet)), "\n"+indent)
			} else {
				items[i] = strings.Join(wrap(item, width), "\n")
			}
		}
		blocks = append(blocks, strings.Join(items, "\n"))
	}
	return strings.Join(blocks, "\n\n")
}

// wrap breaks a text into lines, between words.
func wrap(text string, width int) []string {
	lines, used := []string{""}, 0
	for word := range strings.FieldsSeq(text) {
		size, last := uniseg.StringWidth(word), len(lines)-1
		switch {
		case used == 0:
			lines[last], used = word, size
		case used+1+size > width:
			lines, used = append(lines, word), size
		default:
			lines[last], used = lines[last]+" "+word, used+1+size
		}
	}
	return lines
}

// columns is the width of what is written, 0 if it is unknown.
func (r *runner) columns(out io.Writer) int {
	if columns, err := strconv.Atoi(r.getenv("COLUMNS")); err == nil && columns > 0 {
		return max(columns, 30)
	}
	if file, ok := out.(*os.File); ok {
		columns, _, _ := term.GetSize(int(file.Fd())) // 0 if it is no terminal
		return columns
	}
	return 0
}

// bold marks a text on a terminal.
func (r *runner) bold(out io.Writer, text string) string { return r.paint(out, "1", text) }

// paint marks a text by an SGR code (ECMA-48 section 8.3.117), if it goes to a terminal that may have it
// (https://no-color.org).
func (r *runner) paint(out io.Writer, code, text string) string {
	if !isTerminal(out) || r.getenv("NO_COLOR") != "" || r.getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
