package cli

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
)

func (r *runner) scopesParse() *cobra.Command {
	return &cobra.Command{
		Use:   "parse STRING",
		Short: "Check a scope string and show it as a tree",
		Long: `Check a scope string and show it as a tree, one scope per line; * marks an
optional dependency. The last line is the canonical form. An error names the
position of the mistake.`,
		Example: `  globus-auth scopes parse 'openid email'
  globus-auth scopes parse 'transfer[*data_access]'`,
		Args: exactArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			graph, err := parseScopes(args[0])
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
	}
}

func parseScopes(text string) (*scopes.Graph, error) {
	graph, err := scopes.Parse(text)
	if wrong, ok := errors.AsType[*scopes.ParseError](err); ok {
		return graph, failf("%v: byte %d: %s", wrong.Kind, wrong.Offset, wrong.Reason)
	}
	return graph, err
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
