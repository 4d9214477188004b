package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/apierror"
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

func (o LoginOptions) forced() bool {
	a := o.Authorization
	return o.Force || a.SessionMessage != "" || a.Prompt != "" || a.SessionRequiredMFA != nil ||
		len(a.SessionRequiredIdentities)+len(a.SessionRequiredPolicies)+len(a.SessionRequiredSingleDomain)+len(a.RequiredScopes) > 0
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
	if foreign := a.foreign(options.Authorization.RequiredScopes); len(foreign) > 0 {
		return fmt.Errorf("the scopes %s are not among those of the app: AddScopes adds them", strings.Join(foreign, " "))
	}
	return a.login(ctx, options, always)
}

// always makes login run whether or not another login has run already.
const always = -1

// login logs in, one caller at a time. It does nothing if a login has ended since
// the counter of logins was as given.
func (a *App) login(ctx context.Context, options LoginOptions, since int64) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer func() { <-a.turn }()
	if since != always && a.logins.Load() != since {
		return nil
	}
	if !options.forced() {
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
	want, err := a.asks(before, options.Authorization.RequiredScopes)
	if err != nil {
		return err
	}
	set, err := a.obtain(ctx, want, options.Authorization)
	if err != nil {
		if !a.service && want.String() != a.wanted().String() {
			a.askForLess(ctx, options.Authorization.RequiredScopes)
		}
		return err
	}
	return a.keep(ctx, before, set)
}

// asks returns the scopes that a login asks for: those of the app, and what programs
// asked for before in the tokens that it replaces. Required are those of this login alone.
func (a *App) asks(stored tokens.Set, required []string) (scopes.List, error) {
	var before scopes.List
	for _, token := range a.replaced(stored, required) {
		requested := strings.Fields(cmp.Or(token.Requested, token.Scope))
		before = append(before, slices.DeleteFunc(token.Scopes(), func(s scopes.Scope) bool {
			// Another program may have stored an invalid scope.
			return !slices.Contains(requested, string(s)) || scopes.List{s}.Validate() != nil
		})...)
	}
	return scopes.Merge(a.wanted(), before)
}

// replaced returns the stored tokens that a login replaces: those for the resource servers of the
// scopes that are wanted or required.
func (a *App) replaced(stored tokens.Set, required []string) []tokens.Token {
	want := slices.Concat(a.wanted(), scopes.Of(required...))
	return slices.DeleteFunc(stored.All(), func(token tokens.Token) bool {
		return !slices.ContainsFunc(want, func(s scopes.Scope) bool {
			server, _ := s.ResourceServer()
			return server == token.ResourceServer || holdsAny(token, []string{s.Name()})
		})
	})
}

// requesting notes in tokens the names of the scopes that programs have asked for.
func requesting(list []tokens.Token, requested []string, problems ...error) tokens.Set {
	for i := range list {
		list[i].Requested = strings.Join(requested, " ")
	}
	return tokens.Salvage(list, problems...)
}

// askForLess makes the next login ask only for the scopes of its own program: one of the others may
// have been deleted, which the service tells the person on a page, but not the program.
func (a *App) askForLess(ctx context.Context, required []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	_, err := a.config.Store.Update(ctx, a.key, func(current tokens.Set) (tokens.Set, error) {
		requested, err := names(a.wanted())
		return current.Merge(requesting(a.replaced(current, required), requested)), err
	})
	if err != nil {
		a.config.Client.Logger().WarnContext(ctx, "app: the next login asks for the same scopes again", "error", err)
	}
}

// keep stores the tokens of a login, whether or not the caller still waits, and
// revokes those it replaces; or, if they cannot be stored, revokes them.
func (a *App) keep(ctx context.Context, before, set tokens.Set) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	var replaced tokens.Set
	stored, err := a.config.Store.Update(ctx, a.key, func(current tokens.Set) (tokens.Set, error) {
		replaced = current
		return current.Merge(set), a.sameOwner(current, set)
	})
	if err != nil && a.holds(ctx, set) { // a store that has put it elsewhere for now
		a.config.Client.Logger().WarnContext(ctx, "app: the tokens of the login are not stored where they belong yet", "error", err)
		err = nil
	}
	if err != nil {
		if revokeErr := a.revoke(ctx, set); revokeErr != nil {
			return fmt.Errorf("%w; what the login gave could not be revoked: %w", err, revokeErr)
		}
		return fmt.Errorf("%w; what the login gave is revoked", err)
	}
	a.logins.Add(1)
	a.changed()
	if a.service {
		return nil // its access tokens end by themselves, as after a renewal
	}
	if !sameLogin(before, replaced) {
		a.config.Client.Logger().WarnContext(ctx, "app: the stored login changed while this one was running, by another login or a renewal; this one replaces it and revokes it")
	}
	if err := a.revoke(ctx, replaced, stored); err != nil {
		a.config.Client.Logger().WarnContext(ctx, "app: tokens that this login replaces could not be revoked and remain valid", "error", err)
	}
	return nil
}

// holds reports whether the store returns the tokens of a set.
func (a *App) holds(ctx context.Context, set tokens.Set) bool {
	stored, err := a.config.Store.Load(ctx, a.key)
	return err == nil && !slices.ContainsFunc(set.All(), func(token tokens.Token) bool {
		kept, _ := stored.ByResourceServer(token.ResourceServer)
		return kept.AccessToken != token.AccessToken
	})
}

// sameLogin reports whether two sets have the same refresh tokens.
func sameLogin(one, other tokens.Set) bool {
	return slices.EqualFunc(one.All(), other.All(), func(a, b tokens.Token) bool {
		return a.ResourceServer == b.ResourceServer && a.RefreshToken == b.RefreshToken
	})
}

// revoke revokes the tokens of a set that the others do not hold, also when ctx has ended.
func (a *App) revoke(ctx context.Context, set tokens.Set, kept ...tokens.Set) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	_, err := a.flow().RevokeSet(ctx, set, kept...)
	return err
}
