package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
)

// LogoutOptions say what a logout is to do.
type LogoutOptions struct {
	// Forget removes also tokens that the service could not be told to revoke, and
	// a store that is damaged (tokens.ErrUnreadable) or that others could use
	// (tokens.ErrUnsafe). They stay valid until they expire, for anyone that has them.
	Forget bool
}

// Logout revokes all tokens that are stored for the client in this namespace, and forgets those that are
// revoked: access token and refresh token of every resource server. After an error the login that
// could not be ended is still there, unless [LogoutOptions.Forget].
func (a *App) Logout(ctx context.Context, options LogoutOptions) (err error) {
	defer prefix.Add(&err, "app: log out")
	var problem error
	// Inside the update, so that no other process renews a token meanwhile.
	_, err = a.config.Store.Update(ctx, a.key, func(current tokens.Set) (left tokens.Set, _ error) {
		if left, problem = a.flow().RevokeSet(ctx, current); options.Forget {
			left = tokens.Set{}
		}
		return left, nil
	})
	if options.Forget && (errors.Is(err, tokens.ErrUnreadable) || errors.Is(err, tokens.ErrUnsafe)) {
		if deleteErr := a.config.Store.Delete(ctx, a.key); deleteErr != nil {
			err = errors.Join(err, deleteErr)
		} else {
			err = fmt.Errorf("%w; the login is removed, and what it held remains valid until it expires", err)
		}
	}
	a.changed()
	return errors.Join(problem, err)
}
