package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Why a login is needed. An error of this kind is a tokens.ErrLoginRequired too.
var (
	// ErrMissingToken says that no token is stored for what is needed.
	ErrMissingToken = errors.New("no token is stored")
	// ErrTokenExpired says that a token has expired and cannot be renewed.
	ErrTokenExpired = errors.New("the token has expired")
	// ErrMissingRefreshToken says that a token cannot be renewed, though the app
	// asks for refresh tokens.
	ErrMissingRefreshToken = errors.New("there is no refresh token")
	// ErrUnmetScopes says that scopes the app needs, or scopes they depend on,
	// were not granted.
	ErrUnmetScopes = errors.New("scopes were not granted")
	// ErrIdentityMismatch says that tokens belong to another person than those
	// already stored, or to a person where the client's own belong, or the other way
	// round. No login resolves it: log out first, or use another Namespace.
	ErrIdentityMismatch = tokens.ErrIdentityMismatch
)

// required makes the error of one reason to log in.
func required(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %w: %w", tokens.ErrLoginRequired, reason, fmt.Errorf(format, args...))
}

func holdsAny(token tokens.Token, wanted scopes.List) bool {
	held := strings.Fields(token.Scope)
	return slices.ContainsFunc(wanted, func(s scopes.Scope) bool { return slices.Contains(held, s.Name()) })
}

// owner returns the identity that all tokens belong to, "" if it is unknown. A client's own
// tokens and those of people that logged in to it are never used for each other.
func (a *App) owner(sets ...tokens.Set) (string, error) {
	owner, kinds := "", map[bool]string{true: "the client itself", false: "a person"}
	for _, set := range sets {
		for _, token := range set.All() {
			itself := strings.EqualFold(token.IdentityID, a.key.ClientID)
			switch {
			case token.IdentityID == "" && (!a.service || token.RefreshToken == ""): // a client's own have none
			case itself != a.service:
				return "", required(ErrIdentityMismatch, "the token for %q is that of %s, not of %s", token.ResourceServer, kinds[itself], kinds[a.service])
			case owner != "" && token.IdentityID != owner:
				return "", required(ErrIdentityMismatch, "tokens of %s and of %s do not go together", owner, token.IdentityID)
			default:
				owner = token.IdentityID
			}
		}
	}
	return owner, nil
}

// inspect returns what is stored, and why it is not sufficient.
func (a *App) inspect(ctx context.Context) (tokens.Set, error) {
	stored, err := a.config.Store.Load(ctx, a.key)
	if err != nil {
		return tokens.Set{}, err
	}
	want, all := a.wanted(), stored.All()
	identity, err := a.owner(stored)
	switch {
	case err != nil:
		return stored, err
	case len(all) == 0:
		return stored, required(ErrMissingToken, "log in first")
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(s scopes.Scope) bool {
		// Some programs ask for refresh tokens by a scope, which no token lists.
		return s.Name() == "offline_access" || slices.ContainsFunc(all, func(t tokens.Token) bool { return holdsAny(t, scopes.List{s}) })
	})
	switch {
	case len(missing) > 0:
		return stored, required(ErrUnmetScopes, "%s", missing)
	case a.service:
		return stored, nil
	}
	for _, token := range all {
		switch {
		case token.RefreshToken != "" || !holdsAny(token, want):
		case !a.lasts(&token):
			return stored, required(ErrTokenExpired, "that for %q, and it cannot be refreshed", token.ResourceServer)
		case !a.config.NoRefreshTokens:
			return stored, required(ErrMissingRefreshToken, "for %q", token.ResourceServer)
		}
	}
	return stored, a.checkConsents(ctx, want, identity)
}

// lasts reports whether a token can be renewed or is good for long enough.
func (a *App) lasts(token *tokens.Token) bool {
	if a.service || token.RefreshToken != "" || token.Expiry.IsZero() {
		return true
	}
	margin := a.config.RenewBefore
	if token.Lifetime > 0 {
		margin = min(margin, token.Lifetime-token.Lifetime/10) // as tokens.RefreshingConfig does
	}
	return a.config.Client.Now().Add(margin).Before(token.Expiry)
}

// checkConsents says which dependencies lack a consent. Tokens do not list them.
func (a *App) checkConsents(ctx context.Context, want scopes.List, identity string) error {
	deep := slices.DeleteFunc(slices.Clone(want), func(s scopes.Scope) bool { return !strings.Contains(string(s), "[") })
	if len(deep) == 0 || identity == "" {
		return nil
	}
	if known := a.forest.Load(); known != nil {
		if met, err := known.Meets(deep); err != nil || met {
			return err
		}
	}
	// The source without its checks, which would lead here again.
	s, err := a.source(scopes.AuthResourceServer)
	if err != nil {
		return err
	}
	auth := a.config.Client.WithCredentials(globusauth.BearerFrom(s.Refreshing))
	list, err := auth.GetConsents(ctx, identity, &gen.GetConsentsParams{})
	var forest *consents.Forest
	if err == nil {
		forest, err = consents.NewForest(list.Consents)
	}
	if err != nil {
		return fmt.Errorf("find out what has been consented to: %w", err)
	}
	a.forest.Store(forest)
	missing, err := forest.Missing(deep)
	if err != nil || len(missing) == 0 {
		return err
	}
	return required(ErrUnmetScopes, "there is no consent for %s", missing)
}
