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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("missing argument SCOPE")
			}
			return nil
		},
		ValidArgsFunction: completeScopes,
		RunE: func(cmd *cobra.Command, args []string) error {
			graph, err := parseScopes(strings.Join(args, " "))
			if err != nil {
				return &problem{words: "SCOPE", err: err, code: ExitUsage}
			}
			a, err := r.stored(cmd.Context())
			if err != nil {
				return err
			}
			if a.config.ClientSecret != "" {
				return usagef("a client that acts as itself consents to nothing: use %q", "globus-auth login --scopes")
			}
			a.config.Scopes = graph.List()
			a.config.NoRefreshTokens = !a.refreshable()
			return r.logIn(cmd, a.config, &options)
		},
	}
	r.usesLogin(command)
	options.browserFlag(command)
	return command
}
