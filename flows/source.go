package flows

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Source keeps one token of a login usable by its refresh token. Config needs
// Store and ResourceServer; its Refresh, its Key but for the Namespace, and where it is nil
// Now are those of the flow. Tokens of several people need a Namespace each.
func (c Config) Source(config tokens.RefreshingConfig) (_ *tokens.Refreshing, err error) {
	defer prefix.Add(&err, "flows: token source")
	self, err := c.client()
	if err != nil {
		return nil, err
	}
	config.Refresh = func(ctx context.Context, current tokens.Token) (tokens.Set, error) { return c.Refresh(ctx, current) }
	return self.source(config)
}

// ClientCredentialsSource keeps a token of the client itself usable for good, by
// asking for a new one with [Config.ClientCredentials]. Config needs Store and
// ResourceServer, for which Scopes must hold a scope; its Grant, IdentityID, its Key
// but for the Namespace, and where it is nil Now are those of the flow. Tokens
// of people who logged in to the same client need another Namespace.
func (c Config) ClientCredentialsSource(config tokens.RefreshingConfig) (_ *tokens.Refreshing, err error) {
	defer prefix.Add(&err, "flows: token source")
	self, err := c.confidential()
	if err == nil {
		err = c.Scopes.Validate()
	}
	if err != nil {
		return nil, err
	}
	c.Scopes = slices.Clone(c.Scopes)
	config.IdentityID = c.ClientID
	config.Grant = func(ctx context.Context) (tokens.Set, error) { return c.ClientCredentials(ctx) }
	return self.source(config)
}

// source makes a source for tokens of this client and this service: those of one are
// never sent to another.
func (c client) source(config tokens.RefreshingConfig) (*tokens.Refreshing, error) {
	config.Key = c.auth.TokenKey(c.ClientID, config.Key.Namespace)
	if config.Now == nil {
		config.Now = c.auth.Now
	}
	return tokens.NewRefreshing(config)
}

// HTTPClient returns an *http.Client that sends the token of config.Source to the hosts
// it is meant for, and to no other, as tokens.Transport does. config needs Source, and
// ResourceServer or Hosts. Environment, the host of scopes.AuthResourceServer, and Base
// where it is nil, are those of client. Requests end with their context; there is no
// other limit on their time unless the caller sets Timeout.
func HTTPClient(client *globusauth.Client, config tokens.TransportConfig) (_ *http.Client, err error) {
	defer prefix.Add(&err, "flows: HTTP client")
	//nolint:forbidigo // what a client without a Transport uses
	config.Base = cmp.Or(config.Base, client.HTTPClient().Transport, http.DefaultTransport)
	config.Environment = cmp.Or(config.Environment, client.Environment())
	if config.ResourceServer == scopes.AuthResourceServer {
		base, err := url.Parse(client.BaseURL())
		if err != nil {
			return nil, err
		}
		// Not the environment's own host too: what was issued at one address is sent to no other.
		config.ResourceServer, config.Hosts = "", append([]string{origin.HostPort(base)}, config.Hosts...)
	}
	transport, err := tokens.NewTransport(config)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: transport}, nil
}
