package globusauth

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// Issuer returns the issuer of the service's ID tokens: [Config.Issuer], or the
// base URL without the slash at its end.
func (c *Client) Issuer() string { return c.issuer }

// Now returns the time by the client's clock, [Config.Now].
func (c *Client) Now() time.Time { return c.now() }

// IDTokenVerifier returns the verifier of the ID tokens that the service issues
// to a client, with the options of [Config.IDTokens]. All calls for a client ID, also
// on copies by [Client.WithCredentials], share one verifier, so that configuration and
// keys are fetched once. The call sends no request.
func (c *Client) IDTokenVerifier(clientID string) (*idtoken.Verifier, error) {
	c.verifiers.mu.Lock()
	defer c.verifiers.mu.Unlock()
	if verifier := c.verifiers.byClient[clientID]; verifier != nil {
		return verifier, nil
	}
	verifier, err := c.newVerifier(clientID)
	if err != nil {
		return nil, fmt.Errorf("globusauth: verifier of ID tokens: %w", err)
	}
	c.verifiers.byClient[clientID] = verifier
	return verifier, nil
}

func (c *Client) newVerifier(clientID string) (*idtoken.Verifier, error) {
	return idtoken.New(idtoken.Config{
		Issuer:           c.issuer,
		ClientID:         clientID,
		HTTPClient:       c.HTTPClient(),
		ConfigurationURL: c.baseURL + ".well-known/openid-configuration",
		Now:              c.now,
		UnsafeAllowHTTP:  c.allowHTTP,
		Options:          c.verifiers.options,
	})
}

type verifiers struct {
	options  idtoken.Options
	mu       sync.Mutex // guards byClient
	byClient map[string]*idtoken.Verifier
}

func newVerifiers(options idtoken.Options) *verifiers {
	options.JWKS = bytes.Clone(options.JWKS)
	return &verifiers{options: options, byClient: make(map[string]*idtoken.Verifier)}
}
