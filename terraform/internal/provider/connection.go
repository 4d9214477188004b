package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/keyringstore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// The variables of the command globus-auth, and with the same meaning.
const (
	envClientID         = "GLOBUS_AUTH_CLIENT_ID"
	envClientSecret     = "GLOBUS_AUTH_CLIENT_SECRET"      //nolint:gosec // The name of a variable.
	envClientSecretFile = "GLOBUS_AUTH_CLIENT_SECRET_FILE" //nolint:gosec // The name of a variable.
	envAccessToken      = "GLOBUS_AUTH_ACCESS_TOKEN"       //nolint:gosec // The name of a variable.
	envProfile          = "GLOBUS_AUTH_PROFILE"
	envStore            = "GLOBUS_AUTH_STORE"
	envStoreDir         = "GLOBUS_AUTH_STORE_DIR"

	commandName = "globus-auth" // of the command, which names its directory
	maxSecret   = 4 << 10
)

// connection is what a configured provider calls with.
type connection struct {
	auth  *globusauth.Client
	basic *globusauth.Client // with the client's own ID and secret; nil without them
}

// either returns the clients for an object that belongs to the provider's own client or to a project.
func (c *connection) either() []*globusauth.Client {
	if c.basic == nil {
		return []*globusauth.Client{c.auth}
	}
	return []*globusauth.Client{c.basic, c.auth}
}

// connect makes the connection of a configuration. It sends no request.
func (g *globus) connect(ctx context.Context, config values) (*connection, error) {
	setting := func(name, variable string) string {
		if value := config.text(name); value != "" {
			return value
		}
		return g.getenv(variable)
	}
	base, err := globusauth.FromEnvironment()
	if err != nil {
		return nil, err
	}
	if name := config.text("environment"); name != "" {
		base.Environment, base.BaseURL = name, ""
	}
	if address := config.text("base_url"); address != "" {
		base.BaseURL, base.UnsafeAllowHTTP = address, false
	}
	base.AppName, base.AppVersion = "terraform-provider-globusauth", g.version
	base.Logger = slog.New(logHandler{})
	auth, err := globusauth.New(base)
	if err != nil {
		return nil, err
	}
	clientID := setting("client_id", envClientID)
	token, secret := config.text("access_token"), config.text("client_secret")
	if token != "" && secret != "" {
		return nil, errors.New("access_token and client_secret exclude each other: set one of them")
	}
	if token == "" && secret == "" { // the environment counts only where the configuration has neither
		if token = g.getenv(envAccessToken); token == "" && clientID == g.getenv(envClientID) {
			if secret, err = g.environmentSecret(); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case token != "":
		return &connection{auth: auth.WithCredentials(globusauth.Bearer(token))}, nil
	case secret != "" && clientID == "":
		return nil, errors.New("a client secret is given without its client: set client_id")
	case secret != "":
		return asClient(auth, clientID, secret)
	}
	return asPerson(ctx, auth, clientID, setting("profile", envProfile), setting("store", envStore), setting("store_dir", envStoreDir))
}

// environmentSecret reads the secret from the environment, or from the file that it names, which only its
// owner may read.
func (g *globus) environmentSecret() (string, error) {
	secret, name := g.getenv(envClientSecret), g.getenv(envClientSecretFile)
	if secret != "" || name == "" {
		return secret, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", envClientSecretFile, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: %s is not a regular file", envClientSecretFile, name)
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return "", fmt.Errorf("%s: others can read %s: run chmod 600 on it, and replace the secret if another user may have read it", envClientSecretFile, name)
	}
	file, err := os.Open(name) //nolint:gosec // The user's own variable names the file.
	if err != nil {
		return "", fmt.Errorf("%s: %w", envClientSecretFile, err)
	}
	defer file.Close()                                       //nolint:errcheck // Only read.
	text, err := io.ReadAll(io.LimitReader(file, maxSecret)) //nolint:forbidigo // limited
	if err != nil {
		return "", fmt.Errorf("%s: %w", envClientSecretFile, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// asClient acts as a client, which gets its tokens as it needs them.
func asClient(auth *globusauth.Client, id, secret string) (*connection, error) {
	service, err := app.NewService(app.Config{
		ClientID: id, ClientSecret: secret, Client: auth,
		Scopes: scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail, scopes.AuthManageProjects, scopes.AuthViewIdentities},
	})
	if err != nil {
		return nil, err
	}
	return &connection{auth: service.AuthClient(), basic: auth.WithCredentials(globusauth.Basic(id, secret))}, nil
}

// asPerson uses the login that the command globus-auth has stored.
func asPerson(ctx context.Context, auth *globusauth.Client, clientID, profile, kind, dir string) (*connection, error) {
	store, err := openStore(kind, dir)
	if err != nil {
		return nil, err
	}
	key, err := auth.TokenKey("any", profile).Normal()
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	stored, err := store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	var clients []string
	for _, each := range stored {
		id := each.ClientID
		if each.ClientID = key.ClientID; each == key && (clientID == "" || clientID == id) {
			clients = append(clients, id)
		}
	}
	switch {
	case len(clients) == 0:
		return nil, fmt.Errorf("no credentials: set client_id and client_secret, or access_token, or run: globus-auth login --client-id ID --scopes %q",
			"openid "+string(scopes.AuthManageProjects))
	case len(clients) > 1:
		return nil, fmt.Errorf("several clients are logged in; choose one with client_id: %s", strings.Join(clients, ", "))
	}
	key.ClientID = clients[0]
	set, err := store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	config := app.Config{ClientID: key.ClientID, Name: commandName, Namespace: key.Namespace, Client: auth, Store: store, NoLogin: true}
	for _, token := range set.All() {
		config.Scopes = append(config.Scopes, token.Scopes()...)
	}
	user, err := app.NewUser(config)
	if err != nil {
		return nil, err
	}
	return &connection{auth: user.AuthClient()}, nil
}

func openStore(kind, dir string) (tokens.Store, error) {
	switch kind {
	case "", "file":
		return filestore.New(filestore.Config{AppName: commandName, Dir: dir})
	case "sqlite":
		return sqlitestore.New(sqlitestore.Config{AppName: commandName, Dir: dir})
	case "keyring":
		return keyringstore.New(keyringstore.Config{AppName: commandName, Dir: dir})
	}
	return nil, fmt.Errorf("store %q is invalid: use file, sqlite or keyring", kind)
}

// logHandler passes the records of the library on to the log of the engine. They contain no secret.
type logHandler struct{}

func (logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (logHandler) Handle(ctx context.Context, record slog.Record) error {
	attributes := map[string]any{}
	record.Attrs(func(a slog.Attr) bool {
		attributes[a.Key] = a.Value.Resolve().String()
		return true
	})
	if record.Level >= slog.LevelWarn {
		tflog.Warn(ctx, record.Message, attributes)
	} else {
		tflog.Debug(ctx, record.Message, attributes)
	}
	return nil
}

// WithAttrs and WithGroup are not used by the library.
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup returns the handler as it is.
func (h logHandler) WithGroup(string) slog.Handler { return h }
