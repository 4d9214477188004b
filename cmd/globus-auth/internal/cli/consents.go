package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/internal/uuid"
)

func (r *runner) consents() *cobra.Command {
	return group("consents", "Show the consents of an identity", r.consentsTree())
}

func (r *runner) consentsTree() *cobra.Command {
	all := false
	command := &cobra.Command{
		Use:   "tree IDENTITY",
		Short: "Draw the consents of an identity as trees",
		Long: `Draw the consents of an identity, given by ID or username, as trees: below each
consent are those that its service needs. A * marks a consent that can be
revoked alone. Each line has the scope, the ID of the consent, its client and,
unless it is "approved", its status.

Without --all, only consents for the client of the token are shown.`,
		Example: `  globus-auth consents tree alice@example.edu
  globus-auth consents tree --all \
    46bd0f56-e24f-11e5-a510-131bef46955c`,
		Args: exactArgs,
	}
	r.usesLogin(command)
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		id, err := identityID(cmd.Context(), client, args[0])
		if err != nil {
			return err
		}
		list, forest, err := getConsents(cmd.Context(), client, id, all)
		switch {
		case err != nil:
			return err
		case !output.plain():
			rows := table{{"ID", "SCOPE", "CLIENT", "STATUS"}}
			for _, consent := range list {
				rows.row(fmt.Sprint(consent.ID), consent.ScopeName, consent.Client, string(consent.Status))
			}
			return r.print(cmd.Context(), output, list, rows)
		case len(forest.Trees()) > 0:
			_, err = fmt.Fprint(r.Out, forest)
			return err
		case all:
			r.tell("%s has no consents", id)
		default:
			r.tell("%s has no consents for this client; --all shows those for all clients", id)
		}
		return nil
	}
	command.Flags().BoolVar(&all, "all", false, "show the consents for all clients; requires the scope view_consents")
	return command
}

// identityID returns an ID as it is, and looks up a username.
func identityID(ctx context.Context, client *globusauth.Client, key string) (string, error) {
	if uuid.Valid(key) {
		return key, nil
	}
	people, err := identitymap.New(identitymap.Config{Client: client})
	if err != nil {
		return "", err
	}
	person, err := people.Get(ctx, key)
	return person.ID, err
}

func getConsents(ctx context.Context, client *globusauth.Client, identityID string, all bool) ([]gen.Consent, *consents.Forest, error) {
	list, err := client.GetConsents(ctx, identityID, &gen.GetConsentsParams{All: all})
	switch {
	case errors.Is(err, apierror.ErrForbidden):
		return nil, nil, &problem{words: "the service requires a token issued to that user, and for --all the scope view_consents", err: err}
	case err != nil:
		return nil, nil, err
	case list.Consents == nil:
		return nil, nil, fmt.Errorf("%w: it holds no list of consents", globusauth.ErrMalformedResponse)
	}
	forest, err := consents.NewForest(list.Consents)
	if errors.Is(err, consents.ErrMissingParent) && !all {
		return nil, nil, &problem{words: "the consents are incomplete; try --all", err: err}
	}
	return list.Consents, forest, err
}
