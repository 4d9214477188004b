package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func (r *runner) consents() *cobra.Command {
	command := &cobra.Command{Use: "consents", Short: "Look at what a person has consented to", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	all := false
	tree := &cobra.Command{
		Use:   "tree IDENTITY",
		Short: "Draw the consents of an identity, given by ID or username, as trees",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client(cmd.Context())
			if err != nil {
				return err
			}
			people, err := identitymap.New(identitymap.Config{Client: client})
			if err != nil {
				return err
			}
			person, err := people.Get(cmd.Context(), args[0])
			if errors.Is(err, identitymap.ErrNotFound) {
				return fmt.Errorf("no identity %q", args[0])
			}
			if err != nil {
				return err
			}
			return r.drawConsents(cmd, client, person.ID, all)
		},
	}
	tree.Flags().BoolVar(&all, "all", false, "all consents, not only those of the token's client; needs the scope view_consents")
	command.AddCommand(tree)
	return command
}

func (r *runner) drawConsents(cmd *cobra.Command, client *globusauth.Client, identityID string, all bool) error {
	list, err := client.GetConsents(cmd.Context(), identityID, &gen.GetConsentsParams{All: all})
	if err != nil {
		return err
	}
	forest, err := consents.NewForest(list.Consents)
	if err != nil {
		return err
	}
	if len(forest.Trees()) == 0 {
		_, _ = fmt.Fprintln(r.Err, "no consents")
		return nil
	}
	_, err = fmt.Fprint(r.Out, forest)
	return err
}
