package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

const (
	appName   = "globus-auth"
	maxSecret = 4 << 10

	tokenVariable = "GLOBUS_AUTH_ACCESS_TOKEN"
)

// stored says which login a command line is about: what the flags that every
// verb takes say, or else the environment.
type stored struct {
	clientID, secretFile, profile, store string
}

func (r *runner) storedFlags(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.StringVar(&r.stored.clientID, "client-id", "", "the client of the login; by default the only one that is logged in")
	flags.StringVar(&r.stored.secretFile, "client-secret-file", "", "file with the secret of the client, if it has one")
	flags.StringVar(&r.stored.profile, "profile", "", "name of one of several logins of the client")
	flags.StringVar(&r.stored.store, "store", "", "where tokens are kept: file (the default) or sqlite")
}

// fill takes from the environment what no flag says.
func (r *runner) fill() stored {
	s := r.stored
	for _, from := range []struct {
		name string
		to   *string
	}{
		{"GLOBUS_AUTH_CLIENT_ID", &s.clientID},
		{"GLOBUS_AUTH_CLIENT_SECRET_FILE", &s.secretFile},
		{"GLOBUS_AUTH_PROFILE", &s.profile},
		{"GLOBUS_AUTH_STORE", &s.store},
	} {
		if *from.to == "" {
			*from.to = r.getenv(from.name)
		}
	}
	return s
}

// openStore opens the store, in the official SDK's own place for an app of this name.
func (r *runner) openStore(kind string) (tokens.Store, error) {
	dir := ""
	if home := r.getenv("HOME"); home != "" && runtime.GOOS != "windows" {
		dir = filepath.Join(home, ".globus", "app")
	}
	switch kind {
	case "", "file":
		return filestore.New(filestore.Config{AppName: appName, Dir: dir})
	case "sqlite":
		return sqlitestore.New(sqlitestore.Config{AppName: appName, Dir: dir})
	}
	return nil, usagef("--store %q: it is file or sqlite", kind)
}

// appConfig is the configuration of the app whose login the command line is about.
func (r *runner) appConfig() (app.Config, error) {
	s := r.fill()
	var config app.Config
	base, err := r.config()
	if err != nil {
		return config, err
	}
	if config.Client, err = newClient(base); err != nil {
		return config, err
	}
	if config.Store, err = r.openStore(s.store); err != nil {
		return config, err
	}
	config.ClientID, config.Name, config.Namespace = s.clientID, appName, s.profile
	config.Getenv = r.getenv
	if s.secretFile != "" {
		if config.ClientSecret, err = readSecret(s.secretFile); err != nil {
			return config, err
		}
	}
	return config, nil
}

// readSecret reads a secret from a file, less the newline at its end.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read client secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch secret := strings.TrimSpace(string(text)); {
	case err != nil:
		return "", fmt.Errorf("read client secret: %w", err)
	case secret == "" || len(text) > maxSecret || strings.ContainsAny(secret, " \t\r\n"):
		return "", usagef("--client-secret-file: %s does not hold one secret alone", path)
	default:
		return secret, nil
	}
}

// session is a login that is stored.
type session struct {
	*app.App
	config app.Config
	set    tokens.Set
}

// errNotLoggedIn is told with what to do.
func errNotLoggedIn(config app.Config) error {
	for_ := ""
	if config.ClientID != "" {
		for_ = " for the client " + config.ClientID
	}
	if config.Namespace != "" {
		for_ += fmt.Sprintf(" in the profile %q", config.Namespace)
	}
	return fmt.Errorf("nobody is logged in%s: run %q first", for_, "globus-auth login --client-id ID")
}

// loggedIn opens the stored login that the command line is about.
func (r *runner) loggedIn(ctx context.Context) (*session, error) {
	s, err := r.openLogin(ctx)
	if err != nil && r.getenv(tokenVariable) != "" {
		return nil, fmt.Errorf("%w (%s is a token, not a stored login, and does not do for this)", err, tokenVariable)
	}
	return s, err
}

func (r *runner) openLogin(ctx context.Context) (*session, error) {
	config, err := r.appConfig()
	if err != nil {
		return nil, err
	}
	if config.ClientID == "" {
		if config.ClientID, err = onlyClient(ctx, config); err != nil {
			return nil, err
		}
	}
	set, err := config.Store.Load(ctx, tokens.Key{
		ClientID: config.ClientID, Environment: config.Client.Environment(), Address: config.Client.Address(), Namespace: config.Namespace,
	})
	if err != nil {
		return nil, err
	}
	if len(set.All()) == 0 {
		return nil, errNotLoggedIn(config)
	}
	config.NoLogin = true
	for _, token := range set.All() {
		config.Scopes = append(config.Scopes, token.Scopes()...)
	}
	s := &session{config: config, set: set}
	s.App, err = newApp(config, isService(config.ClientID, set))
	return s, err
}

// isService reports whether tokens are those of the client itself, whose
// identity has its ID.
func isService(clientID string, set tokens.Set) bool {
	return slices.ContainsFunc(set.All(), func(t tokens.Token) bool { return strings.EqualFold(t.IdentityID, clientID) })
}

// newApp opens a stored login. A client that logged in as itself renews its
// tokens by its secret.
func newApp(config app.Config, service bool) (*app.App, error) {
	if config.ClientSecret != "" && service {
		return app.NewService(config)
	}
	if config.ClientSecret != "" {
		config.RedirectURI = config.Client.BaseURL() + codePage // for a login that does not take place
	}
	return app.NewUser(config)
}

const codePage = "v2/web/auth-code"

// onlyClient returns the one client with a stored login.
func onlyClient(ctx context.Context, config app.Config) (string, error) {
	keys, err := config.Store.Keys(ctx)
	if err != nil {
		return "", err
	}
	want, err := tokens.Key{
		ClientID: "any", Environment: config.Client.Environment(), Address: config.Client.Address(), Namespace: config.Namespace,
	}.Normal()
	if err != nil {
		return "", usagef("--profile: %w", err)
	}
	var clients []string
	for _, key := range keys {
		if key.Environment == want.Environment && key.Address == want.Address && key.Namespace == want.Namespace {
			clients = append(clients, key.ClientID)
		}
	}
	switch len(clients) {
	case 0:
		return "", errNotLoggedIn(config)
	case 1:
		return clients[0], nil
	}
	return "", usagef("several clients are logged in; choose one with --client-id: %s", strings.Join(clients, ", "))
}

// explain says what to do about a login that does not do.
func explain(err error) error {
	switch {
	case errors.Is(err, app.ErrIdentityMismatch):
		return fmt.Errorf("%w: run %q first", err, "globus-auth logout")
	case errors.Is(err, tokens.ErrLoginRequired):
		return fmt.Errorf("%w: run %q", err, "globus-auth login")
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
func (r *runner) open(ctx context.Context) (*globusauth.Client, *session, error) {
	if token := r.getenv(tokenVariable); token != "" {
		config, err := r.config()
		if err != nil {
			return nil, nil, err
		}
		config.Credentials = globusauth.Bearer(token)
		client, err := newClient(config)
		return client, nil, err
	}
	s, err := r.loggedIn(ctx)
	if err != nil {
		return nil, nil, err
	}
	// A login that does not do is told before anything else.
	if _, err := s.TokenSource(scopes.AuthResourceServer).Token(ctx); err != nil {
		return nil, nil, explain(err)
	}
	return s.AuthClient(), s, nil
}

// confidential is the flow of a client with a secret.
func (s *session) confidential() flows.Confidential {
	return flows.Confidential{Client: s.config.Client, ClientID: s.config.ClientID, ClientSecret: s.config.ClientSecret}
}
