package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) sessionUpdate() *cobra.Command {
	var o loginOptions
	command := &cobra.Command{
		Use:   "update",
		Short: "Authenticate again, as a service or policy requires",
		Long: `Log in again for the same scopes, so that the session satisfies what a service or policy
requires. With no other flags, a fresh authentication is required.`,
		Example: `  globus-auth session update --session-identities alice@example.edu
  globus-auth session update --session-mfa \
    --session-policies 8b0f8e21-3a2b-4b0a-9f1c-2f3a0f6a2b0c`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := r.loggedIn(cmd.Context())
			if err != nil {
				return err
			}
			if isClient(a.config.ClientID, a.set) {
				return usagef("a client that logged in as itself has no session")
			}
			parameters := o.parameters(cmd)
			if parameters.Prompt == "" && parameters.SessionRequiredMFA == nil &&
				len(parameters.SessionRequiredIdentities)+len(parameters.SessionRequiredPolicies)+len(parameters.SessionRequiredSingleDomain) == 0 {
				parameters.Prompt = "login"
			}
			config := a.config
			config.NoRefreshTokens = !slices.ContainsFunc(a.set.All(), func(t tokens.Token) bool { return t.RefreshToken != "" })
			return r.loginUser(cmd.Context(), config, o, parameters)
		},
	}
	o.flags(command)
	return command
}
