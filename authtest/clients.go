package authtest

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/globusauth/globusauth/internal/server"
)

// credential is a secret of a client.
type credential struct {
	Credential
	client  *client
	deleted bool
}

// matches compares in constant time, whatever the lengths.
func (c *credential) matches(secret string) bool {
	got, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(c.Secret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// client is a registered client.
type client struct {
	Client      // without its credentials and scopes
	credentials []*credential
	scopes      []*scope
	identity    *identity // nil for public clients
}

func (c *client) kind() server.ClientType { return server.ClientType(c.Type) }

func (c *client) visibility() server.ClientVisibility {
	if c.Public {
		return server.ClientVisibilityPublic
	}
	return server.ClientVisibilityPrivate
}

// public reports whether the client has no secret.
func (c *client) public() bool {
	return c.kind() == server.ClientTypePublicInstalledClient || c.kind() == server.ClientTypePublicWebappClient
}

// native reports whether the client is a program on a person's computer.
func (c *client) native() bool {
	return c.kind() == server.ClientTypePublicInstalledClient || c.Instance
}

// grants returns the grants that the client may use. Instances of a native app
// are no resource servers.
func (c *client) grants() []server.GrantType {
	switch {
	case c.public():
		return []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeRefreshToken}
	case c.Instance:
		return []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeClientCredentials, server.GrantTypeRefreshToken}
	default:
		return []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeClientCredentials, server.GrantTypeRefreshToken, server.GrantTypeDependentToken}
	}
}

// addCredential gives a client a secret.
func (e *engine) addCredential(c *client, name string) *credential {
	added := &credential{client: c, Credential: Credential{
		ID: e.random.uuid(), Name: name, Secret: e.random.secret("fake-secret-"), Created: e.now(),
	}}
	c.credentials = append(c.credentials, added)
	e.changed()
	return added
}
