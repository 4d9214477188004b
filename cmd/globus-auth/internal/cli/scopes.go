package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
)

func (r *runner) scopes() *cobra.Command {
	command := &cobra.Command{Use: "scopes", Short: "Work with scope strings", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	command.AddCommand(&cobra.Command{
		Use:   "parse STRING",
		Short: "Check a scope string and show it as a tree",
		Long: `Check a scope string and show it as a tree, one scope per line; * marks an optional
dependency. The last line is the canonical form. A mistake is shown with its position.`,
		Example: `  globus-auth scopes parse 'openid email'
  globus-auth scopes parse 'transfer[*data_access]'`,
		Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error {
			graph, err := scopes.Parse(args[0])
			if problem, ok := errors.AsType[*scopes.ParseError](err); ok {
				return fmt.Errorf("%w\n%s", err, pointAt(args[0], problem.Offset))
			}
			if err != nil {
				return err
			}
			var text strings.Builder
			for _, root := range graph.Roots() {
				drawScope(&text, root, 0)
			}
			if canonical := graph.String(); canonical != "" {
				text.WriteString("\n" + canonical + "\n")
			}
			_, err = io.WriteString(r.Out, text.String())
			return err
		},
	})
	return command
}

func drawScope(text *strings.Builder, node scopes.Node, depth int) {
	text.WriteString(strings.Repeat("  ", depth))
	if node.Optional() {
		text.WriteByte('*')
	}
	text.WriteString(node.Name() + "\n")
	for _, dependency := range node.Dependencies() {
		drawScope(text, dependency, depth+1)
	}
}

// pointAt shows what is around a byte of a text, and an arrow below it.
func pointAt(text string, at int) string {
	const around = 34
	from, to := max(0, at-around), min(len(text), at+around)
	line := []byte("  " + text[from:to])
	for i, c := range line {
		if c < ' ' || c > '~' {
			line[i] = '?'
		}
	}
	return string(line) + "\n" + strings.Repeat(" ", 2+at-from) + "^"
}
