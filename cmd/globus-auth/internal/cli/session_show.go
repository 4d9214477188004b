package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/unixtime"
)

func (r *runner) session() *cobra.Command {
	command := &cobra.Command{
		Use: "session", Short: "Show or renew the authentications behind the login", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(r.sessionShow(), r.sessionUpdate())
	return command
}

// authentication is one identity and when it was authenticated.
type authentication struct {
	Username          string `json:"username"`
	ID                string `json:"id"`
	LastAuthenticated string `json:"last_authentication"` // RFC 3339; empty: never, or not told
}

func (r *runner) sessionShow() *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use:   "show",
		Short: "List the identities of the login, and when each was authenticated",
		Long: `List the identities of the login, and when each was last authenticated. Linked identities are
shown if the token has the scope view_identity_set, which login requests by default. For a client with
a secret, only the identities in the session behind the token are shown.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return usagef("--format %q is invalid: use table or json", format)
			}
			list, err := r.authentications(cmd.Context())
			if err != nil {
				return explain(err)
			}
			if format == "json" {
				return r.printJSON(list)
			}
			var rows table
			rows.row("USERNAME", "ID", "LAST AUTHENTICATION")
			for _, a := range list {
				rows.row(a.Username, a.ID, a.LastAuthenticated)
			}
			return rows.print(r.Out)
		},
	}
	command.Flags().StringVar(&format, "format", "table", "table or json")
	return command
}

// authentications are those of the session as far as the service tells.
func (r *runner) authentications(ctx context.Context) ([]authentication, error) {
	client, a, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := client.GetUserinfo(ctx)
	if err != nil {
		return nil, err
	}
	people := info.IdentitySet
	if len(people) == 0 {
		people = []gen.LinkedIdentity{{Sub: info.Sub, Username: info.PreferredUsername, LastAuthentication: info.LastAuthentication}}
	}
	var inSession map[string]gen.SessionAuthentication
	if a != nil && a.config.ClientSecret != "" {
		token, err := a.TokenSource(scopes.AuthResourceServer).Token(ctx)
		if err != nil {
			return nil, err
		}
		introspection, err := a.confidential().Introspect(ctx, token.AccessToken, flows.IntrospectOptions{SessionInfo: true})
		if err == nil && introspection.Active {
			inSession = introspection.SessionInfo.Authentications
		}
	}
	list := []authentication{}
	for _, person := range people {
		if known, found := inSession[person.Sub]; found {
			person.LastAuthentication = known.AuthTime
		} else if len(inSession) > 0 {
			continue
		}
		list = append(list, authentication{person.Username, person.Sub, stamp(person.LastAuthentication)})
	}
	return list, nil
}

func stamp(t unixtime.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
