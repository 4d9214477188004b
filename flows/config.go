package flows

import (
	"errors"
	"fmt"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/scopes"
)

const (
	loginTimeout = time.Hour // from Start to Finish
	codePagePath = "v2/web/auth-code"
)

// Config is an OAuth2 client: a public one without a ClientSecret, such as a
// program on a person's machine, or a confidential one with it, such as a web
// portal, a service or a resource server. Every login uses PKCE (RFC 7636).
//
// Auth and ClientID are required; Scopes for a login and for client credentials;
// ClientSecret for client credentials, dependent tokens and introspection.
//
// A Config is a value without state of its own: fill it in, copy it, use it from
// several goroutines; do not change it while it is used. It does not show its
// secret when it is printed, logged or encoded. In an unexported field of another
// struct fmt cannot call its methods: keep a pointer there.
type Config struct {
	// Auth calls the service. Its credentials are not used.
	Auth *globusauth.Client
	// ClientID is the ID of the client's registration.
	ClientID string
	// ClientSecret is the secret of one of the client's credentials. Empty means a
	// public client.
	ClientSecret string
	// Scopes are what a login, or ClientCredentials, asks for. With
	// scopes.AuthOpenID among them a login returns claims, and fails without an ID
	// token.
	Scopes scopes.List
	// RedirectURI is where the browser is sent with the code, exactly as it is
	// registered: https, http on a loopback address, or for a public client a private
	// scheme such as "edu.example.tool:/login". Empty means, for a public client, the
	// service's own page, which shows the code for copying.
	RedirectURI string
	// RefreshTokens asks for a refresh token beside every access token of a login.
	RefreshTokens bool
	// PrefillNamedGrant is the label suggested on the consent page, such as
	// "my-tool on laptop". Empty means none.
	PrefillNamedGrant string
}

// client is a checked Config.
type client struct {
	Config

	auth    *globusauth.Client // with the client's own credentials, or without any
	baseURL string
	formID  string // the client_id in a form; a client with a secret sends it as its credentials
}

func (c Config) client() (client, error) {
	switch {
	case c.Auth == nil:
		return client{}, errors.New("the field Auth is nil; make a client with globusauth.New")
	case c.ClientID == "":
		return client{}, errors.New("the ClientID is empty; developers.globus.org gives one")
	}
	self := client{Config: c, baseURL: c.Auth.BaseURL()}
	if c.ClientSecret != "" {
		self.auth = c.Auth.WithCredentials(globusauth.Basic(c.ClientID, c.ClientSecret))
	} else {
		self.auth, self.formID = c.Auth.WithCredentials(nil), c.ClientID
	}
	return self, nil
}

// confidential is client for what a public client cannot do.
func (c Config) confidential() (client, error) {
	self, err := c.client()
	if err == nil && c.ClientSecret == "" {
		return client{}, errors.New("the ClientSecret is empty; this needs a confidential client")
	}
	return self, err
}

// forLogin is client for a login, with the defaults filled in.
func (c Config) forLogin() (client, error) {
	self, err := c.client()
	if err != nil {
		return client{}, err
	}
	public := c.ClientSecret == ""
	if c.RedirectURI == "" && public {
		self.RedirectURI = self.codePage()
	}
	if self.RedirectURI != self.codePage() {
		if err := checkRedirectURI(self.RedirectURI, public); err != nil {
			return client{}, fmt.Errorf("the RedirectURI: %w", err)
		}
	}
	return self, nil
}

// codePage is the service's page that shows a code for copying.
func (c client) codePage() string { return c.baseURL + codePagePath }

// Format prints the client without its secret, whatever the verb.
func (c Config) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "flows.Config{ClientID: %q, Scopes: %q, RedirectURI: %q}", c.ClientID, c.Scopes.String(), c.RedirectURI)
}

// MarshalText writes the client without its secret, also for encoding/json and
// the like. It cannot be read back.
func (c Config) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(c)), nil }
