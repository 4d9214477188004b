package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

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

// holders returns the tokens that hold what is wanted, one for each name, or why
// there are none.
func holders(want scopes.List, stored tokens.Set) ([]tokens.Token, error) {
	wanted, err := names(want)
	if err != nil {
		return nil, err
	}
	all := stored.All()
	if len(all) == 0 {
		return nil, required(ErrMissingToken, "nobody has logged in, or somebody has logged out")
	}
	var found []tokens.Token
	var missing []string
	for _, name := range wanted {
		i := slices.IndexFunc(all, func(t tokens.Token) bool { return holdsAny(t, []string{name}) })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		found = append(found, all[i])
	}
	if len(missing) > 0 {
		return nil, required(ErrUnmetScopes, "%s", strings.Join(missing, " "))
	}
	return found, nil
}

// identityOf returns the person whose tokens these are, "" if nobody knows.
func identityOf(set tokens.Set) (string, error) {
	identity := ""
	for _, token := range set.All() {
		switch {
		case token.IdentityID == "" || token.IdentityID == identity:
		case identity != "":
			return "", required(ErrIdentityMismatch, "tokens of %s and of %s are stored together", identity, token.IdentityID)
		default:
			identity = token.IdentityID
		}
	}
	return identity, nil
}

// sameIdentity says why the tokens of a login cannot stand beside those stored.
func sameIdentity(stored, fresh tokens.Set) error {
	before, err := identityOf(stored)
	if err != nil {
		return err
	}
	now, err := identityOf(fresh)
	if err != nil {
		return err
	}
	if before != "" && now != "" && before != now {
		return required(ErrIdentityMismatch, "tokens of %s are stored, the login was that of %s; log out first", before, now)
	}
	return nil
}

// validate says why stored tokens of a person do not do.
func (u *User) validate(ctx context.Context, want scopes.List, stored tokens.Set) error {
	found, err := holders(want, stored)
	if err != nil {
		return err
	}
	identity, err := identityOf(stored)
	if err != nil {
		return err
	}
	now := u.core.config.Client.Now()
	for _, token := range found {
		ended := !token.Expiry.IsZero() && !now.Before(token.Expiry)
		switch {
		case token.RefreshToken != "":
		case ended:
			return required(ErrTokenExpired, "that for %q, and it cannot be refreshed", token.ResourceServer)
		case !u.core.config.NoRefreshTokens:
			return required(ErrMissingRefreshToken, "for %q", token.ResourceServer)
		}
	}
	return u.consents.check(ctx, u.core, want, identity)
}

// consentCheck knows what the person has consented to, as far as was asked.
type consentCheck struct {
	mu     sync.Mutex // guards forest
	forest *consents.Forest
}

// check says which dependencies lack a consent. Tokens do not list them.
func (k *consentCheck) check(ctx context.Context, c *core, want scopes.List, identity string) error {
	deep := slices.DeleteFunc(slices.Clone(want), func(s scopes.Scope) bool { return !strings.Contains(string(s), "[") })
	if len(deep) == 0 || identity == "" {
		return nil
	}
	k.mu.Lock()
	known := k.forest
	k.mu.Unlock()
	if known != nil {
		if met, err := known.Meets(deep); err != nil || met {
			return err
		}
	}
	// The source without its checks, which would lead here again.
	s, err := c.source(scopes.AuthResourceServer)
	if err != nil {
		return err
	}
	auth := c.config.Client.WithCredentials(globusauth.TokenSource(s.Refreshing))
	list, err := auth.GetConsents(ctx, identity, &gen.GetConsentsParams{})
	if err != nil {
		return fmt.Errorf("find out what has been consented to: %w", err)
	}
	forest, err := consents.NewForest(list.Consents)
	if err != nil {
		return fmt.Errorf("find out what has been consented to: %w", err)
	}
	k.mu.Lock()
	k.forest = forest
	k.mu.Unlock()
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
