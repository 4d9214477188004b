package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
)

func (r *runner) whoami() *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use:   "whoami",
		Short: "Show who is logged in",
		Long: `Show who is logged in, according to the service. With --format json, print the claims of the
userinfo endpoint; characters that are not printable are escaped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usagef("--format %q is invalid: use text or json", format)
			}
			client, err := r.client(cmd.Context())
			if err != nil {
				return err
			}
			var response globusauth.Response
			info, err := client.GetUserinfo(cmd.Context(), globusauth.WithResponse(&response))
			if err != nil {
				return explain(err)
			}
			if format == "json" {
				return r.printJSON(json.RawMessage(response.Body))
			}
			return r.introduce(info)
		},
	}
	command.Flags().StringVar(&format, "format", "text", "text or json")
	return command
}

// introduce shows a person.
func (r *runner) introduce(info *gen.Userinfo) error {
	var rows table
	for _, line := range [][2]string{
		{"Username", info.PreferredUsername},
		{"ID", info.Sub},
		{"Name", info.Name},
		{"Email", info.Email},
		{"Organization", info.Organization},
		{"Identity provider", info.IdentityProviderDisplayName},
	} {
		if line[1] != "" {
			rows.row(line[0]+":", line[1])
		}
	}
	for _, linked := range info.IdentitySet {
		if linked.Sub != info.Sub {
			rows.row("Linked identity:", fmt.Sprintf("%s (%s)", linked.Username, linked.Sub))
		}
	}
	return rows.print(r.Out)
}
