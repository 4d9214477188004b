package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/tokens"
)

func (r *runner) logout() *cobra.Command {
	forget := false
	command := &cobra.Command{
		Use:   "logout",
		Short: "Revoke and delete the stored tokens",
		Long: `Revoke and delete all stored tokens of a client and profile. Tokens that cannot
be revoked, such as when the service cannot be reached, are kept, so that logout
can be run again, unless --forget is given. --forget also clears a store that is
damaged, or that other users can read; this requires --client-id.`,
		Args: exactArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := r.stored(cmd.Context())
			unusable := errors.Is(err, tokens.ErrUnreadable) || errors.Is(err, tokens.ErrUnsafe)
			if err != nil && (a == nil || !forget || !unusable) {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), r.logoutTimeout)
			defer cancel()
			if err = a.Logout(ctx, app.LogoutOptions{Forget: forget}); err == nil {
				r.tell("logged out")
				return nil
			}
			left, loadErr := a.Tokens(cmd.Context())
			if loadErr != nil || len(left.All()) > 0 {
				return &problem{words: "tokens that are not revoked are kept; run logout again, or add --forget to delete them", err: err}
			}
			if unusable {
				return failf("the login is deleted (a damaged file is moved aside); its tokens are not revoked and remain valid until they expire")
			}
			return &problem{words: "the login is deleted, but its tokens are not revoked and remain valid until they expire", err: err}
		},
	}
	r.usesLogin(command)
	command.Flags().BoolVar(&forget, "forget", false, "delete tokens even if they cannot be revoked")
	return command
}
