package cli

import (
	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/gen"
)

// authentication is one identity and when it was authenticated.
type authentication struct {
	Username          string `json:"username"`
	ID                string `json:"id"`
	LastAuthenticated string `json:"last_authentication"` // RFC 3339; empty: never, or unknown
}

func (r *runner) session() *cobra.Command {
	return group("session", "Show or renew the authentications of the login", r.sessionShow(), r.sessionUpdate(), r.sessionConsent())
}

func (r *runner) sessionShow() *cobra.Command {
	command := &cobra.Command{
		Use:   "show",
		Short: "List the identities of the login and their last authentications",
		Long: `List the identities of the login, and when each was last authenticated. Linked
identities are shown if the token has the scope view_identity_set, which login
requests by default.`,
		Args: exactArgs,
	}
	r.usesLogin(command)
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		info, err := client.GetUserinfo(cmd.Context())
		if err != nil {
			return err
		}
		people := info.IdentitySet
		if len(people) == 0 {
			people = []gen.LinkedIdentity{{Sub: info.Sub, Username: info.PreferredUsername, LastAuthentication: info.LastAuthentication}}
		}
		list, rows := []authentication{}, table{{"USERNAME", "ID", "LAST AUTHENTICATION"}}
		for _, person := range people {
			a := authentication{person.Username, person.Sub, stamp(person.LastAuthentication.Time)}
			list = append(list, a)
			rows.row(a.Username, a.ID, a.LastAuthenticated)
		}
		return r.print(cmd.Context(), output, list, rows)
	}
	return command
}
