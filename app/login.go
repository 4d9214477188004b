package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

const (
	// keepTimeout bounds storing what a login gave: longer than stores wait for a lock.
	keepTimeout = 60 * time.Second
	// revokeTimeout bounds revoking what a login replaces, or cannot store.
	revokeTimeout = 15 * time.Second
)

// LoginOptions say what a login is to do.
type LoginOptions struct {
	// Force logs in although nothing requires it.
	Force bool
	// Authorization is what this login has to satisfy beside the app's scopes, and no later one:
	// what a service demanded in an *apierror.Error, or the program's own
	// choice. If it is not empty the login takes place. A service account takes of it
	// only RequiredScopes that Config or AddScopes named.
	Authorization apierror.AuthorizationParameters
}

// Login logs in, if [App.LoginRequired] or the options say so, and stores what the
// login gives beside what is stored. It asks for the app's scopes, and for those that
// programs asked for before in stored tokens for the same resource servers, so that programs that
// share a login keep what they have; except after a login of a person that failed: then for the app's alone,
// because the service does not tell a program that one of the others no longer exists.
//
// The store is opened, locked and read before a person is sent to a browser. Tokens
// that cannot be stored, or are another person's, are revoked; so are, once a person's
// login is stored, the tokens that it replaces. A token that could not be revoked
// is reported to the logger of [Config.Client] at level Warn; so is a login
// that another process has stored meanwhile, which this one replaces. In one
// process logins wait for each other.
//
// A service need not call Login; a call shows whether its credentials are valid.
//
// Errors: those of [Config.Login] and its flow; those of the store; [ErrIdentityMismatch].
func (a *App) Login(ctx context.Context, options LoginOptions) (err error) {
	defer prefix.Add(&err, "app: log in")
	return a.login(ctx, options, always)
}

// always makes login run whether or not another login has run already.
const always = -1

// login logs in, one caller at a time. It does nothing if a login has ended since
// the counter of logins was as given.
func (a *App) login(ctx context.Context, options LoginOptions, since int64) error {
	// What a resource server asks for decides nothing: no person sees the grants of a service account, so it
	// takes only scopes that the program has named.
	own, asked := a.wanted(), options.Authorization.RequiredScopes
	if merged, err := scopes.Merge(own, scopes.Of(asked...)); a.service && (err != nil || merged.String() != own.String()) {
		return fmt.Errorf("the scopes %q are not all among those of the app: AddScopes adds them", asked)
	}
	if err := a.turn.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for another login: %w", err)
	}
	defer a.turn.Release(1)
	if since != always && a.logins.Load() != since {
		return nil
	}
	if !options.Force && reflect.ValueOf(options.Authorization).IsZero() {
		_, err := a.inspect(ctx)
		if !errors.Is(err, tokens.ErrLoginRequired) || errors.Is(err, ErrIdentityMismatch) {
			return err
		}
	}
	// A rehearsal: a store that cannot be used is found out while nothing is issued.
	before, err := a.config.Store.Update(ctx, a.key, func(current tokens.Set) (tokens.Set, error) {
		_, err := a.owner(current)
		return current, err
	})
	if err != nil {
		return err
	}
	want, err := a.asks(before, asked)
	if err != nil {
		return err
	}
	set, err := a.obtain(ctx, want, options.Authorization)
	if err != nil {
		return err
	}
	return a.keep(ctx, before, set)
}

// flow returns the client, without scopes.
func (a *App) flow() flows.Config {
	c := a.config
	return flows.Config{
		Auth: c.Client, ClientID: c.ClientID, ClientSecret: c.ClientSecret, RedirectURI: c.RedirectURI,
		RefreshTokens: !c.NoRefreshTokens, PrefillNamedGrant: c.grantName(),
	}
}

// obtain gets tokens: by a login of the person, or by client credentials.
func (a *App) obtain(ctx context.Context, want scopes.List, asked apierror.AuthorizationParameters) (tokens.Set, error) {
	flow, own := a.flow(), a.wanted()
	flow.Scopes = want
	others := want.String() != own.String() // scopes that only stored tokens have, and that may exist no longer
	if a.service {
		set, err := flow.ClientCredentials(ctx)
		if others && errors.Is(err, apierror.ErrInvalidScope) {
			flow.Scopes = own
			set, err = flow.ClientCredentials(ctx)
		}
		return set, err
	}
	set, _, err := a.config.Login.Login(ctx, flow, flows.WithAuthorization(asked))
	if err != nil && others { // the service tells the person on a page, but not the program: the next login asks for less
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
		defer cancel()
		_, storeErr := a.config.Store.Update(ctx, a.key, func(current tokens.Set) (tokens.Set, error) { return requesting(current, own), nil })
		err = errors.Join(err, storeErr)
	}
	return requesting(set, want), err
}

// requesting notes in tokens the names of the scopes that programs have asked for.
func requesting(set tokens.Set, want scopes.List) tokens.Set {
	var requested []string
	for _, scope := range want {
		requested = append(requested, scope.Name())
	}
	list := set.All()
	for i := range list {
		list[i].Requested = strings.Join(requested, " ")
	}
	return tokens.Salvage(list, set.Problems()...)
}

// asks returns the scopes that a login asks for: those of the app, and what programs
// asked for before in the tokens that it replaces: those for the resource servers of the scopes that are
// wanted or required. Required are those of this login alone.
func (a *App) asks(stored tokens.Set, required []string) (scopes.List, error) {
	want := slices.Concat(a.wanted(), scopes.Of(required...))
	var before scopes.List
	for _, token := range stored.All() {
		replaced := slices.ContainsFunc(want, func(s scopes.Scope) bool {
			server, _ := s.ResourceServer()
			return server == token.ResourceServer || holdsAny(token, scopes.List{s})
		})
		if !replaced {
			continue
		}
		requested := strings.Fields(cmp.Or(token.Requested, token.Scope))
		before = append(before, slices.DeleteFunc(token.Scopes(), func(s scopes.Scope) bool {
			// Another program may have stored an invalid scope.
			return !slices.Contains(requested, string(s)) || scopes.List{s}.Validate() != nil
		})...)
	}
	return scopes.Merge(a.wanted(), before)
}

// keep stores the tokens of a login, whether or not the caller still waits, and
// revokes those it replaces; or, if they cannot be stored, revokes them.
func (a *App) keep(ctx context.Context, before, set tokens.Set) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	log := a.config.Client.Logger()
	var replaced tokens.Set
	stored, err := a.config.Store.Update(ctx, a.key, func(current tokens.Set) (tokens.Set, error) {
		replaced = current
		_, err := a.owner(current, set)
		return current.Merge(set), err
	})
	if err != nil {
		// A store can have put them elsewhere for now.
		if loaded, loadErr := a.config.Store.Load(ctx, a.key); loadErr != nil || !loaded.Merge(set).Equal(loaded) {
			return errors.Join(fmt.Errorf("%w; what the login gave is revoked", err), a.revoke(ctx, set))
		}
		log.WarnContext(ctx, "app: the tokens of the login are not stored where they belong yet", "error", err)
	}
	a.logins.Add(1)
	a.changed()
	if a.service {
		return nil // its access tokens end by themselves, as after a renewal
	}
	if !before.Equal(replaced) {
		log.WarnContext(ctx, "app: the stored login changed while this one was running, by another login or a renewal; this one replaces it and revokes it")
	}
	if err := a.revoke(ctx, replaced, stored); err != nil {
		log.WarnContext(ctx, "app: tokens that this login replaces could not be revoked and remain valid", "error", err)
	}
	return nil
}

// revoke revokes the tokens of a set that the others do not hold, also when ctx has ended.
func (a *App) revoke(ctx context.Context, set tokens.Set, kept ...tokens.Set) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	_, err := a.flow().RevokeSet(ctx, set, kept...)
	return err
}
