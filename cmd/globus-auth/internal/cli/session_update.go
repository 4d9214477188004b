package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) sessionUpdate() *cobra.Command {
	command := &cobra.Command{
		Use:   "update",
		Short: "Authenticate again, as a service or policy requires",
		Long: `Log in again for the same scopes, so that the session satisfies what a service
or policy requires. With no other flags, a fresh authentication is required.`,
		Example: `  globus-auth session update \
    --session-identities alice@example.edu
  globus-auth session update --session-mfa \
    --session-policies 8b0f8e21-3a2b-4b0a-9f1c-2f3a0f6a2b0c`,
		Args: exactArgs,
	}
	r.usesLogin(command)
	flags := newLoginFlags(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted := &flags.authorization
		if !cmd.Flags().Changed("session-mfa") &&
			len(wanted.SessionRequiredIdentities)+len(wanted.SessionRequiredPolicies)+len(wanted.SessionRequiredSingleDomain) == 0 {
			wanted.Prompt = "login"
		}
		return r.logInAgain(cmd, flags, nil)
	}
	return command
}

// logInAgain logs the person of the stored login in again, for the same scopes or for others.
func (r *runner) logInAgain(cmd *cobra.Command, flags *loginFlags, others scopes.List) error {
	a, err := r.stored(cmd.Context())
	if err != nil {
		return err
	}
	if a.config.ClientSecret != "" {
		return usagef("a client that acts as itself has no session, and consents to nothing: use %q", "globus-auth login --scopes")
	}
	if others != nil {
		a.config.Scopes = others
	}
	a.config.NoRefreshTokens = !slices.ContainsFunc(a.set.All(), func(t tokens.Token) bool { return t.RefreshToken != "" })
	return r.logIn(cmd, a.config, flags)
}
