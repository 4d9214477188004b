package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// account is a login that is stored, or the client itself where the environment
// holds its secret.
type account struct {
	*app.App
	config app.Config
	set    tokens.Set
}

// errNotLoggedIn says what to do.
func errNotLoggedIn(config app.Config) error {
	for_ := ""
	if config.ClientID != "" {
		for_ = " for the client " + config.ClientID
	}
	if config.Namespace != "" {
		for_ += fmt.Sprintf(" in the profile %q", config.Namespace)
	}
	if address := config.Client.Address(); address != "" {
		for_ += " at " + address
	}
	return fmt.Errorf("no login is stored%s: run %q first", for_, "globus-auth login --client-id ID")
}

// loggedIn opens the stored login that the command line is about.
func (r *runner) loggedIn(ctx context.Context) (*account, error) {
	return r.loggedInWith(ctx, func(*app.Config) {})
}

// loggedInWith opens the stored login with a change of its configuration.
func (r *runner) loggedInWith(ctx context.Context, change func(*app.Config)) (*account, error) {
	a, err := r.openLogin(ctx, change)
	if err != nil && r.getenv(tokenVariable) != "" {
		return nil, fmt.Errorf("%w (%s is a token, not a stored login, and is not sufficient here)", err, tokenVariable)
	}
	return a, err
}

func (r *runner) openLogin(ctx context.Context, change func(*app.Config)) (*account, error) {
	config, err := r.appConfig()
	if err != nil {
		return nil, err
	}
	if config.ClientID == "" {
		if config.ClientID, err = onlyClient(ctx, config); err != nil {
			return nil, explain(err)
		}
	}
	set, err := config.Store.Load(ctx, key(config))
	if err != nil {
		return nil, explain(err)
	}
	itself := actsAsItself(config) || isClient(config.ClientID, set)
	switch {
	case len(set.All()) > 0:
		for _, token := range set.All() {
			config.Scopes = append(config.Scopes, token.Scopes()...)
		}
	case actsAsItself(config):
		config.Scopes = defaultScopes()
	default:
		return nil, errNotLoggedIn(config)
	}
	config.NoLogin = true
	change(&config)
	a := &account{config: config, set: set}
	a.App, err = r.newApp(config, itself)
	return a, err
}

// actsAsItself reports whether the environment holds the secret of a client, which
// acts as itself then.
func actsAsItself(config app.Config) bool {
	name, _, _ := strings.Cut(config.Namespace, "/")
	return config.ClientSecret != "" && name == itselfNamespace
}

// isClient reports whether tokens are those of the client itself, whose
// identity has its ID.
func isClient(clientID string, set tokens.Set) bool {
	return slices.ContainsFunc(set.All(), func(t tokens.Token) bool { return strings.EqualFold(t.IdentityID, clientID) })
}

// newApp opens an app that is closed when the command ends. A client that acts as
// itself renews its tokens by its secret.
func (r *runner) newApp(config app.Config, itself bool) (*app.App, error) {
	open := app.NewUser
	switch {
	case itself && config.ClientSecret == "":
		return nil, usagef("the client %s is logged in as itself: its secret is needed as well, by --client-secret-file", config.ClientID)
	case itself:
		open = app.NewService
	case config.ClientSecret != "" && config.Login == nil:
		config.RedirectURI = config.Client.BaseURL() + codePage // for a login that does not take place
	}
	a, err := open(config)
	if err != nil {
		return nil, &usageError{err}
	}
	r.apps = append(r.apps, a)
	return a, nil
}

const codePage = "v2/web/auth-code"

// explain says what to do about a login that is not sufficient.
func explain(err error) error {
	switch {
	case errors.Is(err, app.ErrIdentityMismatch):
		return fmt.Errorf("%w: run %q first, or choose another --profile", err, "globus-auth logout")
	case errors.Is(err, tokens.ErrUnreadable):
		return fmt.Errorf("%w: run %q first", err, "globus-auth logout --forget")
	case errors.Is(err, tokens.ErrLoginRequired):
		return fmt.Errorf("%w: run %q", err, "globus-auth login --client-id ID")
	}
	return err
}

// newClient makes a client of what flags and environment say.
func newClient(config globusauth.Config) (*globusauth.Client, error) {
	client, err := globusauth.New(config)
	if err != nil {
		return nil, &usageError{err}
	}
	return client, nil
}

// client returns a client with the access token of the environment, or else with
// that of the stored login.
func (r *runner) client(ctx context.Context) (*globusauth.Client, error) {
	client, _, err := r.open(ctx)
	return client, err
}

// open returns the login as well, nil if the token is that of the environment.
func (r *runner) open(ctx context.Context) (*globusauth.Client, *account, error) {
	if token := r.getenv(tokenVariable); token != "" {
		config, err := r.config()
		if err != nil {
			return nil, nil, err
		}
		config.Credentials = globusauth.Bearer(token)
		client, err := newClient(config)
		return client, nil, err
	}
	a, err := r.loggedIn(ctx)
	if err != nil {
		return nil, nil, err
	}
	// A login that is not sufficient is told before anything else.
	if _, err := a.TokenSource(scopes.AuthResourceServer).Token(ctx); err != nil {
		return nil, nil, explain(err)
	}
	return a.AuthClient(), a, nil
}

// confidential is the flow of a client with a secret.
func (a *account) confidential() flows.Config {
	return flows.Config{Auth: a.config.Client, ClientID: a.config.ClientID, ClientSecret: a.config.ClientSecret}
}
