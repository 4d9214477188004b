package authtest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// call is one request on its way through the server.
type call struct {
	request   *http.Request
	operation string
	grant     server.GrantType // of a token request
	outcome   string           // of a token request: ok or the OAuth error
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// failed notes the error of a token request, for the statistics.
func (c *call) failed(p *problem) {
	c.outcome = p.oauth
}

// basicCredentials takes the Authorization header apart; given reports whether it is of the
// scheme Basic, readable or not.
func (c *call) basicCredentials() (id, secret string, given bool) {
	id, secret, given = c.request.BasicAuth()
	scheme, _, _ := strings.Cut(c.request.Header.Get("Authorization"), " ")
	return id, secret, given || strings.EqualFold(scheme, "Basic")
}

// bearerToken returns the token of the Authorization header. The scheme's name
// is compared without regard to letter case (RFC 9110 section 11.1).
func (c *call) bearerToken() string {
	scheme, value, _ := strings.Cut(c.request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}

// wantsPage reports whether a request gets pages.
func (c *call) wantsPage(mode string) bool {
	switch mode {
	case "page":
		return true
	case "auto":
		return false
	default:
		return strings.Contains(c.request.Header.Get("Accept"), "text/html")
	}
}

// clientByPair returns the client that authenticated with its secret, and with
// which credential. Globus' SDKs send ID and secret as they are; OAuth libraries
// form-encode them first (RFC 6749 section 2.3.1). Both are taken.
func (e *engine) clientByPair(id, secret string) (*client, *credential, error) {
	if found, used := e.clientBySecret(id, secret); found != nil {
		return found, used, nil
	}
	decodedID, idErr := url.QueryUnescape(id)
	decodedSecret, secretErr := url.QueryUnescape(secret)
	if idErr == nil && secretErr == nil {
		if found, used := e.clientBySecret(decodedID, decodedSecret); found != nil {
			return found, used, nil
		}
	}
	return nil, nil, unauthorized("Basic auth failed")
}

func (e *engine) clientBySecret(id, secret string) (*client, *credential) {
	found := e.clients.get(id)
	if found == nil || found.public() {
		return nil, nil
	}
	for _, credential := range found.credentials {
		if credential.matches(secret) {
			return found, credential
		}
	}
	return nil, nil
}

// principal is the caller of the API: a token, or a client with its secret.
type principal struct {
	token      *token  // nil with Basic
	client     *client // the client itself, or the one that the token was issued to
	credential *credential
	identity   *identity
}

// has reports whether the caller may use a scope of Globus Auth. A client with
// its secret may.
func (p principal) has(name scopes.Scope) bool { return p.token == nil || p.token.has(name) }

// authenticated returns the caller of an API operation.
func (e *engine) authenticated(c *call) (principal, error) {
	if id, secret, given := c.basicCredentials(); given {
		found, used, err := e.clientByPair(id, secret)
		if err != nil {
			return principal{}, err
		}
		return principal{client: found, credential: used, identity: found.identity}, nil
	}
	token, err := e.bearer(c)
	if err != nil {
		return principal{}, err
	}
	return principal{token: token, client: token.client, identity: token.identity}, nil
}

// bearer returns the valid token for Globus Auth that the caller sent.
func (e *engine) bearer(c *call) (*token, error) {
	value := c.bearerToken()
	if value == "" {
		return nil, unauthorized("Call must be authenticated")
	}
	token := e.liveToken(value)
	if token == nil {
		return nil, unauthorized("The access token is unknown, expired or revoked")
	}
	if token.server != authServer {
		return nil, unauthorized("The access token is for " + token.server + ", not for " + authServer)
	}
	return token, nil
}

// bearerWith returns the caller if it sent a valid token with a scope.
func (e *engine) bearerWith(c *call, name scopes.Scope) (principal, error) {
	token, err := e.bearer(c)
	if err != nil {
		return principal{}, err
	}
	caller := principal{token: token, client: token.client, identity: token.identity}
	if !caller.has(name) {
		return principal{}, forbidden("The access token lacks the scope " + string(name))
	}
	return caller, nil
}
