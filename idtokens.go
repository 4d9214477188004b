package globusauth

import (
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// Issuer returns the issuer of the service's ID tokens: [Config.Issuer], or the
// base URL without the slash at its end.
func (c *Client) Issuer() string { return c.issuer }

// Now returns the time by the client's clock, [Config.Now].
func (c *Client) Now() time.Time { return c.now() }

// IDTokens returns the verifier of the ID tokens that the service issues, with the options
// of [Config.IDTokens]. [idtoken.Expect] names the client that a token is for. All copies
// of a Client by [Client.WithCredentials] have the same one, so that keys are fetched once.
func (c *Client) IDTokens() *idtoken.Verifier { return c.idTokens }
