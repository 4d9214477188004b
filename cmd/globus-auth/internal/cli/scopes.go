package cli

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
)

func (r *runner) scopes() *cobra.Command {
	return group("scopes", "Work with scope strings", r.scopesParse())
}

func (r *runner) scopesParse() *cobra.Command {
	command := &cobra.Command{
		Use:   "parse STRING",
		Short: "Check a scope string and show it as a tree",
		Long: `Check a scope string and show it as a tree, one scope per line; * marks an
optional dependency. The last line is the canonical form. An error names the
position of the mistake.`,
		Example: `  globus-auth scopes parse 'openid email'
  globus-auth scopes parse 'transfer[*data_access]'`,
		Args: exactArgs,
	}
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		graph, err := parseScopes(args[0])
		if err != nil {
			return err
		}
		if !output.plain() {
			rows := table{{"SCOPE", "NEEDED BY", "OPTIONAL"}}
			trees := scopeTrees(graph.Roots(), "", &rows)
			return r.print(cmd.Context(), output, trees, rows)
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
	}
	return command
}

// scopeTree is a scope and those that it needs.
type scopeTree struct {
	Scope        string      `json:"scope"`
	Optional     bool        `json:"optional"`
	Dependencies []scopeTree `json:"dependencies"`
}

// scopeTrees is the JSON of scopes; it adds a row for each.
func scopeTrees(nodes []scopes.Node, parent string, rows *table) []scopeTree {
	list := []scopeTree{}
	for _, node := range nodes {
		rows.row(node.Name(), parent, strconv.FormatBool(node.Optional()))
		list = append(list, scopeTree{node.Name(), node.Optional(), scopeTrees(node.Dependencies(), node.Name(), rows)})
	}
	return list
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
