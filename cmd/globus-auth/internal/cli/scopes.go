package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
)

func (r *runner) scopes() *cobra.Command {
	command := &cobra.Command{Use: "scopes", Short: "Work with scope strings", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	command.AddCommand(&cobra.Command{
		Use:   "parse STRING",
		Short: "Check a scope string and show it as a tree, one scope a line",
		Long: `Check a scope string and show it as a tree, one scope a line; * marks an optional
dependency. The last line is the canonical text. A mistake is shown with its place.`,
		Example: `  globus-auth scopes parse 'urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/COLLECTION/data_access]'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			graph, err := scopes.Parse(args[0])
			if err != nil {
				return err
			}
			for _, root := range graph.Roots() {
				r.drawScope(root, 0)
			}
			if text := graph.String(); text != "" {
				_, _ = fmt.Fprintf(r.Out, "\n%s\n", text)
			}
			return nil
		},
	})
	return command
}

func (r *runner) drawScope(node scopes.Node, depth int) {
	mark := ""
	if node.Optional() {
		mark = "*"
	}
	_, _ = fmt.Fprintf(r.Out, "%s%s%s\n", strings.Repeat("  ", depth), mark, node.Name())
	for _, dependency := range node.Dependencies() {
		r.drawScope(dependency, depth+1)
	}
}
