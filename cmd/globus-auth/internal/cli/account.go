package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/internal/uuid"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

const (
	appName = "globus-auth"

	tokenVariable      = "GLOBUS_AUTH_ACCESS_TOKEN"
	clientVariable     = "GLOBUS_AUTH_CLIENT_ID"
	secretVariable     = "GLOBUS_AUTH_CLIENT_SECRET"
	secretFileVariable = "GLOBUS_AUTH_CLIENT_SECRET_FILE"

	// clientNamespace keeps the tokens of clients that act as themselves apart from those
	// of people.
	clientNamespace = "client-credentials"
)

// account is a stored login, or a client that acts as itself.
type account struct {
	*app.App
	config app.Config
	set    tokens.Set // that is stored
}

// appConfig is the configuration that flags and environment give.
func (r *runner) appConfig() (config app.Config, err error) {
	config = app.Config{ClientID: r.clientID, Name: appName, Namespace: r.profile, NoLogin: true, Getenv: r.getenv}
	if config.ClientSecret, err = r.clientSecret(); err != nil {
		return config, err
	}
	if config.ClientSecret != "" {
		config.Namespace = itself(r.profile)
	}
	if config.Client, err = r.newClient(nil); err != nil {
		return config, err
	}
	if err := r.checkClientID(); err != nil {
		return config, err
	}
	config.Store, err = r.openStore(config.Client)
	return config, err
}

// checkClientID says what is wrong with the client ID, if one is given.
func (r *runner) checkClientID() error {
	if r.clientID == "" || uuid.Valid(r.clientID) {
		return nil
	}
	return usagef("the client ID %q, from %s, is not a UUID: copy it from https://developers.globus.org", r.clientID, r.from("client-id"))
}

// itself is the namespace of a client that acts as itself.
func itself(profile string) string { return strings.TrimSuffix(clientNamespace+"/"+profile, "/") }

// clientSecret reads the secret of the client, which acts as itself if it has one. That of the
// environment is only for the client of the environment, or else of the configuration file.
func (r *runner) clientSecret() (secret string, err error) {
	file, flag := r.secretFile, "--client-secret-file"
	if file == "" && r.clientID == r.setting("client-id").Value {
		file, flag, secret = r.getenv(secretFileVariable), secretFileVariable, r.getenv(secretVariable)
	}
	switch {
	case file == "" && secret == "":
		return "", nil
	case r.clientID == "":
		return "", usagef("a client secret is given without its client: use --client-id or %s", clientVariable)
	case file != "" && secret != "":
		return "", usagef("%s and %s are both set: unset one", secretVariable, secretFileVariable)
	case file != "":
		if secret, err = readSecret(flag, file); err != nil {
			return "", err
		}
	}
	if secret == "" || len(secret) > maxSecret || strings.ContainsAny(secret, " \t\r\n") {
		return "", usagef("the client secret is empty, too long or contains a space: give the secret alone")
	}
	return secret, nil
}

// newApp opens an app that is closed when the command ends.
func (r *runner) newApp(config app.Config) (*app.App, error) {
	open := app.NewUser
	if config.ClientSecret != "" {
		open = app.NewService
	}
	a, err := open(config)
	if err != nil {
		return nil, &problem{err: err, code: ExitUsage}
	}
	r.apps = append(r.apps, a)
	return a, nil
}

// stored opens the stored login. If its tokens cannot be read, it is returned with the error.
func (r *runner) stored(ctx context.Context) (*account, error) {
	config, err := r.appConfig()
	if err != nil {
		return nil, err
	}
	if config.ClientID == "" {
		if config.ClientID, err = r.onlyClient(ctx, config); err != nil {
			return nil, err
		}
	}
	config.RenewBefore = r.minValid
	config.Scopes = defaultScopes()
	set, unreadable := config.Store.Load(ctx, config.Client.TokenKey(config.ClientID, config.Namespace))
	if len(set.All()) > 0 {
		config.Scopes = nil
		for _, token := range set.All() {
			config.Scopes = append(config.Scopes, token.Scopes()...)
		}
	} else if unreadable == nil && config.ClientSecret == "" {
		return nil, r.errNotLoggedIn(config)
	}
	opened, err := r.newApp(config)
	if err != nil {
		return nil, err
	}
	return &account{App: opened, config: config, set: set}, unreadable
}

func (r *runner) errNotLoggedIn(config app.Config) error {
	which := ""
	if config.ClientID != "" {
		which = " for the client " + config.ClientID
	}
	if config.Namespace != "" {
		which += fmt.Sprintf(" in the profile %q", config.Namespace)
	}
	if address := config.Client.Address(); address != "" {
		which += " at " + address
	}
	if r.getenv(tokenVariable) != "" {
		which += " (" + tokenVariable + " is a token, not a stored login)"
	}
	return &problem{words: fmt.Sprintf("no login is stored%s: run %q first", which, r.againWith("", "login")), code: ExitNotLoggedIn}
}

// client returns a client with the access token of the environment, or of the stored login, which
// needs the given scopes.
func (r *runner) client(ctx context.Context, needed ...string) (*globusauth.Client, error) {
	if token := r.getenv(tokenVariable); token != "" {
		return r.newClient(globusauth.Bearer(token))
	}
	a, err := r.stored(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.needs(a, needed); err != nil {
		return nil, err
	}
	// A login that is not sufficient is reported before anything else.
	if _, err := a.Source(scopes.AuthResourceServer).Token(ctx); err != nil {
		return nil, err
	}
	return a.AuthClient(), nil
}

// needs says which scopes a login lacks. A client that acts as itself gets them.
func (r *runner) needs(a *account, needed []string) error {
	if a.config.ClientSecret != "" {
		return a.AddScopes(scopes.Of(needed...)...)
	}
	for _, scope := range needed {
		if _, err := a.set.ByScopes(scopes.Scope(scope)); err != nil {
			return &problem{
				words: fmt.Sprintf("the login lacks the scope %s: run %q", scope, r.again("session consent "+scope)),
				code:  ExitAuthorization,
			}
		}
	}
	return nil
}
