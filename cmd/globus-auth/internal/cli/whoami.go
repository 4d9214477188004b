package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

func (r *runner) whoami() *cobra.Command {
	command := &cobra.Command{
		Use:   "whoami",
		Short: "Show who is logged in",
		Long: `Show who is logged in, according to the service. With --format json, print the
claims of the userinfo endpoint.`,
		Args: exactArgs,
	}
	r.usesLogin(command)
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		var document json.RawMessage
		info, err := client.GetUserinfo(cmd.Context(), keepBody(&document))
		if err != nil {
			return err
		}
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
				rows.row(line[0], line[1])
			}
		}
		for _, linked := range info.IdentitySet {
			if linked.Sub != info.Sub {
				rows.row("Linked identity", fmt.Sprintf("%s (%s)", linked.Username, linked.Sub))
			}
		}
		return r.print(cmd.Context(), output, document, rows)
	}
	return command
}
