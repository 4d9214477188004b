package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) token() *cobra.Command {
	var minValid time.Duration
	refresh := false
	command := &cobra.Command{
		Use:   "token RESOURCE_SERVER",
		Short: "Print a usable access token, refreshed if needed",
		Long: `Print a usable access token for a resource server on standard output. It is refreshed first if
it expires within a minute, or within the time of --min-valid. Keep it secret, like a password. For
auth.globus.org, it is the token of GLOBUS_AUTH_ACCESS_TOKEN if that is set.`,
		Example: `  TOKEN=$(globus-auth token transfer.api.globus.org)
  curl -H "Authorization: Bearer $TOKEN" \
    https://transfer.api.globus.org/v0.10/task_list
  globus-auth token transfer.api.globus.org --min-valid 6h`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			if minValid < 0 {
				return usagef("--min-valid %s is invalid: use a duration such as 6h", minValid)
			}
			if ready := r.getenv(tokenVariable); ready != "" && args[0] == scopes.AuthResourceServer {
				if minValid > 0 || refresh {
					return usagef("--min-valid and --refresh need a stored login: the token of %s can be neither inspected nor refreshed", tokenVariable)
				}
				_, err := fmt.Fprintln(r.Out, ready)
				return err
			}
			token, err := r.usableToken(cmd.Context(), args[0], minValid, refresh)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(r.Out, token.AccessToken)
			return err
		},
	}
	command.Flags().DurationVar(&minValid, "min-valid", 0, "how long the token must remain valid, such as 6h (default 1m, if it can be refreshed)")
	command.Flags().BoolVar(&refresh, "refresh", false, "refresh the token even if it is valid")
	return command
}

// usableToken returns a token of the stored login that is good for long enough.
func (r *runner) usableToken(ctx context.Context, server string, minValid time.Duration, refresh bool) (tokens.Token, error) {
	a, err := r.loggedInWith(ctx, func(c *app.Config) { c.RenewBefore = minValid })
	if err != nil {
		return tokens.Token{}, err
	}
	stored, found := a.set.ByResourceServer(server)
	if !found && len(a.set.All()) > 0 {
		return tokens.Token{}, fmt.Errorf("no token is stored for %q, only for %s: log in with a scope of that resource server", server, strings.Join(servers(a.set), ", "))
	}
	source := a.TokenSource(server)
	token, err := source.Token(ctx)
	if renewer, ok := source.(tokens.Renewer); ok && refresh && err == nil && token == stored {
		token, err = renewer.Renew(ctx, stored)
	}
	if err != nil {
		return tokens.Token{}, explain(err)
	}
	left := token.Expiry.Sub(a.config.Client.Now())
	if !token.Expiry.IsZero() && left < minValid {
		return tokens.Token{}, fmt.Errorf("the token for %q is valid for %s only, less than --min-valid %s", server, left.Round(time.Second), minValid)
	}
	return token, nil
}
