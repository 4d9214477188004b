package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// offlineAccess is the scope by which some programs ask for refresh tokens. No
// token lists it.
const offlineAccess = "offline_access"

// names returns the scopes at the top level, as tokens list them.
func names(want scopes.List) ([]string, error) {
	graph, err := want.Graph()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, root := range graph.Roots() {
		if name := root.Name(); name != offlineAccess && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}

func holdsAny(token tokens.Token, names []string) bool {
	return slices.ContainsFunc(strings.Fields(token.Scope), func(held string) bool { return slices.Contains(names, held) })
}

// owner returns the identity that the tokens belong to, "" if it is unknown. A client's own
// tokens and those of people that logged in to it are never used for each other.
func (a *App) owner(set tokens.Set) (string, error) {
	owner := ""
	for _, token := range set.All() {
		identity := token.IdentityID
		itself := strings.EqualFold(identity, a.key.ClientID)
		switch {
		case a.service && identity == "" && token.RefreshToken != "":
			return "", required(ErrIdentityMismatch, "a login of a person is stored, not tokens of the client itself: use another Namespace or Store")
		case identity == "" || identity == owner:
		case a.service && !itself:
			return "", required(ErrIdentityMismatch, "tokens of %s are stored, not those of the client itself: use another Namespace or Store", identity)
		case !a.service && itself:
			return "", required(ErrIdentityMismatch, "tokens of the client itself are stored, not those of a person: use another Namespace or Store")
		case owner != "":
			return "", required(ErrIdentityMismatch, "tokens of %s and of %s are stored together", owner, identity)
		default:
			owner = identity
		}
	}
	return owner, nil
}

// sameOwner says why the tokens of a login cannot stand beside those stored.
func (a *App) sameOwner(stored, fresh tokens.Set) error {
	before, err := a.owner(stored)
	if err != nil {
		return err
	}
	now, err := a.owner(fresh)
	if err != nil {
		return err
	}
	if before != "" && now != "" && before != now {
		return required(ErrIdentityMismatch, "tokens of %s are stored, the login was that of %s; log out first", before, now)
	}
	return nil
}

// check says why stored tokens are not sufficient.
func (a *App) check(ctx context.Context, stored tokens.Set) error {
	want := a.wanted()
	identity, err := a.owner(stored)
	if err != nil {
		return err
	}
	wanted, err := names(want)
	if err != nil {
		return err
	}
	all := stored.All()
	if len(all) == 0 {
		return required(ErrMissingToken, "log in first")
	}
	missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool {
		return slices.ContainsFunc(all, func(t tokens.Token) bool { return holdsAny(t, []string{name}) })
	})
	if len(missing) > 0 {
		return required(ErrUnmetScopes, "%s", strings.Join(missing, " "))
	}
	if a.service {
		return nil
	}
	for _, token := range all {
		switch {
		case token.RefreshToken != "" || !holdsAny(token, wanted):
		case !a.lasts(&token):
			return required(ErrTokenExpired, "that for %q, and it cannot be refreshed", token.ResourceServer)
		case !a.config.NoRefreshTokens:
			return required(ErrMissingRefreshToken, "for %q", token.ResourceServer)
		}
	}
	return a.checkConsents(ctx, want, identity)
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
	a.mu.Lock()
	known := a.forest
	a.mu.Unlock()
	if known != nil {
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
	if err != nil {
		return fmt.Errorf("find out what has been consented to: %w", err)
	}
	forest, err := consents.NewForest(list.Consents)
	if err != nil {
		return fmt.Errorf("find out what has been consented to: %w", err)
	}
	a.mu.Lock()
	a.forest = forest
	a.mu.Unlock()
	missing, err := forest.Missing(deep)
	if err != nil || len(missing) == 0 {
		return err
	}
	texts := make([]string, len(missing))
	for i, m := range missing {
		texts[i] = m.String()
	}
	return required(ErrUnmetScopes, "there is no consent for %s", strings.Join(texts, " "))
}
