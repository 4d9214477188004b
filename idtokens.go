package globusauth

import (
	"fmt"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// Issuer returns the issuer of the service's ID tokens: [Config.Issuer], or the
// base URL without the slash at its end.
func (c *Client) Issuer() string { return c.issuer }

// Now returns the time by the client's clock, [Config.Now].
func (c *Client) Now() time.Time { return c.now() }

// IDTokenVerifier returns a verifier of the ID tokens that the service issues to a
// client, with the options of [Config.IDTokens]. All verifiers of a Client, also of its
// copies by [Client.WithCredentials], share the keys, so that these are fetched once. The
// call sends no request.
func (c *Client) IDTokenVerifier(clientID string) (*idtoken.Verifier, error) {
	verifier, err := c.verifier.ForClient(clientID)
	if err != nil {
		return nil, fmt.Errorf("globusauth: verifier of ID tokens: %w", err)
	}
	return verifier, nil
}
