package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func (r *runner) consents() *cobra.Command {
	command := &cobra.Command{Use: "consents", Short: "Show the consents of a person", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	all := false
	tree := &cobra.Command{
		Use:   "tree IDENTITY",
		Short: "Draw the consents of an identity as trees",
		Long: `Draw the consents of an identity, given by ID or username, as trees: below each consent are
those that its service needs. A * marks a consent that can be revoked alone. Each line has the
scope, the ID of the consent, its client and, unless it is "approved", its status.

Without --all, only consents for the client of the token are shown.`,
		Example: `  globus-auth consents tree alice@example.edu
  globus-auth consents tree --all 46bd0f56-e24f-11e5-a510-131bef46955c`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := r.client(cmd.Context())
			if err != nil {
				return err
			}
			id, err := identityID(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			return r.drawConsents(cmd.Context(), client, id, all)
		},
	}
	tree.Flags().BoolVar(&all, "all", false, "show the consents for all clients; needs the scope view_consents")
	command.AddCommand(tree)
	return command
}

// identityID returns an ID as it is, and looks up a username.
func identityID(ctx context.Context, client *globusauth.Client, key string) (string, error) {
	if len(key) == 36 && uuid.Validate(key) == nil { // its other forms are none of Globus
		return key, nil
	}
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		return "", err
	}
	person, err := people.Get(ctx, key)
	if errors.Is(err, identitymap.ErrNotFound) {
		// The error in it has the reason without the key.
		return "", fmt.Errorf("%s: %w", shown(key), errors.Unwrap(err))
	}
	return person.ID, err
}

func (r *runner) drawConsents(ctx context.Context, client *globusauth.Client, identityID string, all bool) error {
	list, err := client.GetConsents(ctx, identityID, &gen.GetConsentsParams{All: all})
	switch {
	case errors.Is(err, apierror.ErrForbidden):
		return fmt.Errorf("%w; it requires a token issued to that person, and for --all the scope view_consents", err)
	case err != nil:
		return err
	case list.Consents == nil:
		return fmt.Errorf("GetConsents: %w: it holds no list of consents", globusauth.ErrMalformedResponse)
	}
	forest, err := consents.NewForest(list.Consents)
	if errors.Is(err, consents.ErrMissingParent) && !all {
		return fmt.Errorf("%w; try --all", err)
	}
	if err != nil {
		return err
	}
	if len(forest.Trees()) == 0 {
		hint := ""
		if !all {
			hint = " for this client; --all shows those for all clients"
		}
		_, err := fmt.Fprintf(r.Err, "globus-auth: %s has no consents%s\n", identityID, hint)
		return err
	}
	_, err = fmt.Fprint(r.Out, forest)
	return err
}
