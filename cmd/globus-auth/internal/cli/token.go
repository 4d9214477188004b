package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) token() *cobra.Command {
	refresh := false
	var format *choice
	command := &cobra.Command{
		Use:   "token RESOURCE_SERVER",
		Short: "Print a usable access token, refreshed if needed",
		Long: `Print a usable access token for a resource server on standard output. It is
refreshed first if it expires within a minute, or within the time of
--min-valid. Keep it secret, like a password. For auth.globus.org, it is the
token of GLOBUS_AUTH_ACCESS_TOKEN if that is set.

With --format json, print an object with access_token, expires_at and what the
command tokens lists. The setting "format" does not apply.`,
		Example: `  TOKEN=$(globus-auth token transfer.api.globus.org)
  curl -H "Authorization: Bearer $TOKEN" \
    https://transfer.api.globus.org/v0.10/task_list
  globus-auth token transfer.api.globus.org --min-valid 6h`,
		Args:              exactArgs,
		ValidArgsFunction: r.storedServers(),
		RunE: func(cmd *cobra.Command, args []string) error {
			server, ready := args[0], r.getenv(tokenVariable)
			switch {
			case r.minValid < 0:
				return usagef("--min-valid %s is negative", r.minValid)
			case ready == "" || server != scopes.AuthResourceServer:
			case r.minValid > 0 || refresh:
				return usagef("--min-valid and --refresh need a stored login: unset %s", tokenVariable)
			default:
				return r.printToken(format, ready, tokenInfo{ResourceServer: server})
			}
			a, err := r.stored(cmd.Context())
			if err != nil {
				return err
			}
			known, found := a.set.ByResourceServer(server)
			if !found && len(a.set.All()) > 0 {
				return &problem{
					words: fmt.Sprintf("no token is stored for %q, only for %s: run %q with a scope of that resource server", server, servers(a.set), r.again("session consent SCOPE")),
					code:  ExitAuthorization,
				}
			}
			source := a.Source(server)
			token, err := source.Token(cmd.Context())
			if renewer, ok := source.(tokens.Renewer); ok && refresh && err == nil && token == known {
				token, err = renewer.Renew(cmd.Context(), known)
			}
			if err != nil {
				return err
			}
			left := token.Expiry.Sub(a.config.Client.Now())
			if r.minValid > 0 && !token.Expiry.IsZero() && left < r.minValid {
				return failf("the token for %q is valid for %s only, less than --min-valid %s", server, left.Round(time.Second), r.minValid)
			}
			return r.printToken(format, token.AccessToken, newTokenInfo(token, a.config.Client.Now()))
		},
	}
	r.usesLogin(command)
	format = choiceFlag(command, "format", "text", "output format", "text", "json")
	command.Flags().DurationVar(&r.minValid, "min-valid", 0, "`duration` that the token must remain valid, such as 6h (default 1m, if it can be refreshed)")
	command.Flags().BoolVar(&refresh, "refresh", false, "refresh the token even if it is valid")
	return command
}

// printToken prints an access token, alone or with what is known of it.
func (r *runner) printToken(format *choice, token string, info tokenInfo) error {
	if format.value == "json" {
		return printJSON(r.Out, struct {
			AccessToken string `json:"access_token"`
			tokenInfo
		}{token, info}, "  ")
	}
	_, err := fmt.Fprintln(r.Out, token)
	return err
}
