package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) logout() *cobra.Command {
	forget := false
	command := &cobra.Command{
		Use:   "logout",
		Short: "Revoke the stored tokens, and delete them",
		Long: `Revoke all stored tokens of a client and profile, and delete them. Tokens that cannot be revoked,
such as when the service cannot be reached, are kept, so that logout can be run again, unless
--forget is given. --forget also clears a store that is damaged, or that other users can read; this
requires --client-id.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := r.runLogout(cmd.Context(), forget)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(r.Err, "Logged out.")
			return err
		},
	}
	command.Flags().BoolVar(&forget, "forget", false, "delete tokens even if they cannot be revoked")
	return command
}

func (r *runner) runLogout(ctx context.Context, forget bool) error {
	a, err := r.loggedIn(ctx)
	if forget && (errors.Is(err, tokens.ErrUnreadable) || errors.Is(err, tokens.ErrUnsafe)) {
		return r.removeStore(ctx, err)
	}
	if err != nil {
		return err
	}
	err = a.Logout(ctx, app.LogoutOptions{Sweep: true, Forget: forget})
	switch left, loadErr := a.Tokens(ctx); {
	case loadErr != nil && err == nil:
		return loadErr
	case err != nil && len(left.All()) > 0:
		return fmt.Errorf("%w: the tokens are kept: run it again, or use --forget to delete them", err)
	case err != nil:
		return fmt.Errorf("%w: the tokens are deleted, but may still be valid", err)
	}
	return nil
}

// removeStore clears a store that cannot be used: a damaged one is moved aside. What
// it held cannot be revoked.
func (r *runner) removeStore(ctx context.Context, damage error) error {
	config, err := r.appConfig()
	if err != nil {
		return err
	}
	if config.ClientID == "" {
		return usagef("%w; name the client with --client-id", damage)
	}
	if err := config.Store.Delete(ctx, key(config)); err != nil {
		return err
	}
	done := "the damaged store is moved aside"
	if errors.Is(damage, tokens.ErrUnsafe) {
		done = "the login is removed"
	}
	return fmt.Errorf("%s; its tokens could not be revoked and remain valid until they expire", done)
}
