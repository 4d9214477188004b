package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func (r *runner) sessionConsent() *cobra.Command {
	var options loginFlags
	command := &cobra.Command{
		Use:   "consent SCOPE...",
		Short: "Log in again to consent to more scopes",
		Long: `Log in again and consent to more scopes, such as those that a service requires
in an error. Their tokens are stored beside those of the login, which keeps its
other scopes.

Scopes may have dependencies:
"urn:globus:auth:scope:transfer.api.globus.org:all[...]".`,
		Example: `  globus-auth session consent \
    urn:globus:auth:scope:groups.api.globus.org:all
  globus-auth session consent --no-browser \
    urn:globus:auth:scope:auth.globus.org:manage_projects`,
		Args:              exactArgs,
		ValidArgsFunction: completeScopes,
		RunE: func(cmd *cobra.Command, args []string) error {
			graph, err := parseScopes(strings.Join(args, " "))
			if err != nil {
				return &problem{words: "SCOPE", err: err, code: ExitUsage}
			}
			return r.logInAgain(cmd, &options, graph.List())
		},
	}
	r.usesLogin(command)
	options.browserFlag(command)
	return command
}
