package app

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Config configures an [App]. ClientID and Scopes are required, ClientSecret for
// [NewService], and Name for [NewUser] without a Store.
type Config struct {
	// ClientID is the ID of the client's registration.
	ClientID string
	// ClientSecret is the secret of one of its credentials. Without one it is a
	// native client.
	ClientSecret string
	// Name is the name of the program, for the person and for the directory of the tokens.
	Name string
	// Scopes are what the program needs. AddScopes adds to them. For a person
	// scopes.AuthOpenID is always among them, which says who logged in.
	Scopes scopes.List

	// Client calls Globus Auth. Its credentials are not used. Nil means one of
	// production, named Name.
	Client *globusauth.Client
	// Store keeps the tokens. Nil means, for a person, the file that a Python
	// GlobusApp of the same client and name uses (see package filestore), for a
	// service the memory of this process. Tests give tokens.NewMemory().
	Store tokens.Store
	// Namespace keeps the tokens of several people, or profiles, apart in one
	// store, and those of a client itself from those of people that log in to it.
	// Empty means "DEFAULT".
	Namespace string

	// Login runs the login of a user. Nil means a login.Loopback, or for a client with a
	// secret or a RedirectURI a login.CommandLine. A Service has none.
	Login login.Manager
	// RedirectURI is the redirect URI, where Login does not use an address of its own.
	// Empty means the service's page that shows the code; a client with a secret needs
	// one.
	RedirectURI string
	// Getenv is that of the default login.Loopback; see there. Programs set it to
	// os.Getenv.
	Getenv func(name string) string
	// NoRefreshTokens logs in without asking for refresh tokens: the person has to log
	// in again when the access tokens expire, after two days.
	NoRefreshTokens bool
	// RenewBefore is how long before its expiry a token is renewed, so that every
	// returned token is valid for at least that long, unless the service cannot be
	// reached. A token that cannot be renewed and expires sooner requires a login. Zero
	// means 60 seconds for renewals, and that a token that cannot be renewed is used
	// until it expires.
	RenewBefore time.Duration
	// NoLogin makes all methods but Login fail with a tokens.ErrLoginRequired where a
	// login is needed, for unattended programs. For a service it affects RedriveGAREs
	// only.
	NoLogin bool
	// RedriveGAREs runs the login that a service asks for (GARE), and retries the request,
	// once. A person is asked for what the service demands, in that login alone: later logins do
	// not ask for it unless a program does (AddScopes). A service account gets a new token
	// only where all scopes that are demanded are among Scopes or those of AddScopes.
	RedriveGAREs bool
}

// headerName leaves out what a header that names the program cannot hold.
func headerName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`;,=()\`, r) {
			return -1
		}
		return r
	}, name)
}

// grantName is the label of the consent, as the official SDK writes it.
func (c Config) grantName() string {
	host, err := os.Hostname()
	host = strings.TrimSuffix(host, ".local")
	if err != nil || host == "" || c.Name == "" {
		return c.Name
	}
	return c.Name + " on " + host
}

// Format prints the configuration without its secret, whatever the verb.
func (c Config) Format(state fmt.State, _ rune) {
	text, _ := c.MarshalText()
	_, _ = state.Write(text)
}

// MarshalText writes the configuration without its secret, for log/slog, encoding/json and the
// like. It cannot be read back.
func (c Config) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "app.Config{ClientID: %q, Name: %q, Scopes: %q}", c.ClientID, c.Name, c.Scopes.String()), nil
}
