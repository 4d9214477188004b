package flows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
// Store and ResourceServer; all of its Key but the Namespace, Refresh and Now
// are filled in, and Grant must be nil. Tokens of several people need a Namespace
// each in config.Key.
func (c Config) Source(config tokens.RefreshingConfig) (_ *tokens.Refreshing, err error) {
	defer prefix.Add(&err, "flows: token source")
	self, err := c.client()
	if err != nil {
		return nil, err
	}
	return self.source(config, func(config *tokens.RefreshingConfig) {
		config.Refresh = func(ctx context.Context, current tokens.Token) (tokens.Set, error) { return c.Refresh(ctx, current) }
	})
}

// ClientCredentialsSource keeps a token of the client itself usable for good, by
// asking for a new one with [Config.ClientCredentials]. Config needs Store and
// ResourceServer, for which Scopes must hold a scope; all of its Key
// but the Namespace, IdentityID, Grant and Now are filled in, and Refresh must be nil. Tokens
// of people who logged in to the same client need another Namespace in config.Key.
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
	return self.source(config, func(config *tokens.RefreshingConfig) {
		config.IdentityID = c.ClientID
		config.Grant = func(ctx context.Context) (tokens.Set, error) { return c.ClientCredentials(ctx) }
	})
}

// source makes a source with what the client knows, and renews as the function says.
func (c client) source(config tokens.RefreshingConfig, renew func(*tokens.RefreshingConfig)) (*tokens.Refreshing, error) {
	if config.Refresh != nil || config.Grant != nil {
		return nil, errors.New("the fields Refresh and Grant must be nil; the flow sets them")
	}
	own, err := c.auth.TokenKey(c.ClientID, config.Key.Namespace).Normal()
	if err != nil {
		return nil, err
	}
	given, err := tokens.Key{
		ClientID: cmp.Or(config.Key.ClientID, own.ClientID), Environment: cmp.Or(config.Key.Environment, own.Environment),
		Address: cmp.Or(config.Key.Address, own.Address), Namespace: own.Namespace,
	}.Normal()
	if err != nil {
		return nil, err
	}
	if given != own { // tokens of one service must not be sent to another
		return nil, fmt.Errorf("the Key is that of client %q in %s %s, the flow's that of %q in %s %s: set only its Namespace",
			given.ClientID, given.Environment, given.Address, own.ClientID, own.Environment, own.Address)
	}
	config.Key = own
	if config.Now == nil {
		config.Now = c.auth.Now
	}
	renew(&config)
	return tokens.NewRefreshing(config)
}

// HTTPClient returns an *http.Client that sends the token of config.Source to the hosts
// it is meant for, and to no other, as tokens.Transport does. config needs Source, and
// ResourceServer or Hosts. Environment, the host of scopes.AuthResourceServer, and Base
// where it is nil, are those of client. Requests end with their context; there is no
// other limit on their time unless the caller sets Timeout.
func HTTPClient(client *globusauth.Client, config tokens.TransportConfig) (_ *http.Client, err error) {
	defer prefix.Add(&err, "flows: HTTP client")
	if client == nil {
		return nil, errors.New("the client is nil")
	}
	if config.Base == nil {
		config.Base = client.HTTPClient().Transport
	}
	if config.Base == nil {
		config.Base = http.DefaultTransport //nolint:forbidigo // a client without a Transport uses this one
	}
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
