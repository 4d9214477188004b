package authtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// credential is a secret of a client.
type credential struct {
	id, name string
	client   *client
	secret   string
	hash     [sha256.Size]byte
	created  time.Time
	deleted  bool
}

// matches compares in constant time, whatever the lengths.
func (c *credential) matches(secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(c.hash[:], hash[:]) == 1
}

// client is a registered client.
type client struct {
	id, name           string
	kind               server.ClientType
	project            *project
	parent             string
	template           bool
	instance           bool // of a template
	visibility         server.ClientVisibility
	credentials        []*credential
	redirectURIs       []string
	fqdns              []string
	resourceServer     string
	scopes             []*scope
	requiredIDP        string
	preselectIDP       string
	termsAndConditions string
	privacyPolicy      string
	identity           *identity // nil for public clients
	deleted            bool
}

// public reports whether the client has no secret.
func (c *client) public() bool {
	return c.kind == server.ClientTypePublicInstalledClient || c.kind == server.ClientTypePublicWebappClient
}

// native reports whether the client is a program on a person's computer.
func (c *client) native() bool { return c.kind == server.ClientTypePublicInstalledClient || c.instance }

// grants returns the grants that the client may use. Instances of a native app
// are no resource servers.
func (c *client) grants() []server.GrantType {
	switch {
	case c.public():
		return []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeRefreshToken}
	case c.instance:
		return []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeClientCredentials, server.GrantTypeRefreshToken}
	default:
		return []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeClientCredentials, server.GrantTypeRefreshToken, server.GrantTypeDependentToken}
	}
}

// mayUse reports whether the client may use a grant.
func (c *client) mayUse(grant server.GrantType) bool {
	switch grant {
	case server.GrantTypeAuthorizationCode, server.GrantTypeRefreshToken:
		return true
	case server.GrantTypeClientCredentials:
		return !c.public()
	default:
		return !c.public() && !c.instance
	}
}

// hashSecret keeps what a secret is compared with.
func (c *credential) hashSecret() { c.hash = sha256.Sum256([]byte(c.secret)) }

// newClientIdentity makes the identity of a client that can act on its own.
func (e *engine) newClientIdentity(c *client) {
	c.identity = &identity{
		id: c.id, username: c.id + "@clients.auth.globus.org", name: c.name,
		provider: e.providers[clientProviderID], status: server.IdentityStatusUsed, client: c,
	}
	e.addIdentity(c.identity)
}

// addCredential gives a client a secret.
func (e *engine) addCredential(c *client, name string) *credential {
	added := &credential{
		id: e.random.uuid(), name: name, client: c, secret: e.random.secret("fake-secret-"), created: e.now(),
	}
	added.hashSecret()
	c.credentials = append(c.credentials, added)
	e.changed()
	return added
}
