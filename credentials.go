package globusauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/globusauth/globusauth/tokens"
)

// Credentials say who calls. Make them with [Basic], [Bearer] or
// [TokenSource]; no other package implements them.
//
// Credentials print as what they are and never show a secret.
type Credentials interface {
	// kind says which of an operation's alternatives the credentials are.
	kind() auth
	// authorization returns the value of the Authorization header and the
	// token it was made from.
	authorization(ctx context.Context) (string, tokens.Token, error)
	fmt.Stringer
	fmt.GoStringer
}

// auth is a set of ways to authenticate that an operation accepts.
type auth uint8

const (
	authNone auth = 1 << iota
	authBasic
	authBearer
)

// resourceServer is the name of Globus Auth among the resource servers.
const resourceServer = "auth.globus.org"

// Basic are the credentials of a confidential client. ID and secret go into
// the header as they are, not form-escaped first as RFC 6749 section 2.3.1
// has it: so do the official SDKs, and so the service reads them. An ID with a colon
// and control characters in either are refused when the credentials are used (RFC
// 7617 section 2).
func Basic(clientID, clientSecret string) Credentials {
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+clientSecret))
	var err error
	switch {
	case strings.Contains(clientID, ":"):
		err = errors.New("the client ID contains a colon")
	case strings.ContainsFunc(clientID+clientSecret, unicode.IsControl):
		err = errors.New("the client ID or secret contains a newline or another control character")
	}
	return basicCredentials{clientID, func() (string, error) { return header, err }}
}

// Bearer is one access token of the resource server auth.globus.org. It cannot
// be renewed: when it has expired, calls fail with [apierror.ErrUnauthorized].
func Bearer(accessToken string) Credentials {
	return bearerCredentials{func() string { return accessToken }}
}

// TokenSource asks source for a token before every request. The token must be
// one of the resource server auth.globus.org. If source is a [tokens.Renewer]
// as well, a request whose response is 401 is retried once with a renewed
// token.
func TokenSource(source tokens.Source) Credentials {
	return sourceCredentials{func() tokens.Source { return source }}
}

// A func keeps a secret out of every way of printing a struct.
type basicCredentials struct {
	clientID string
	header   func() (string, error)
}

func (c basicCredentials) kind() auth { return authBasic }
func (c basicCredentials) authorization(context.Context) (string, tokens.Token, error) {
	header, err := c.header()
	return header, tokens.Token{}, err
}
func (c basicCredentials) String() string   { return "Basic(" + c.clientID + ")" }
func (c basicCredentials) GoString() string { return c.String() }

type bearerCredentials struct{ token func() string }

func (c bearerCredentials) kind() auth { return authBearer }
func (c bearerCredentials) authorization(context.Context) (string, tokens.Token, error) {
	token := c.token()
	if err := checkToken(token); err != nil {
		return "", tokens.Token{}, err
	}
	return "Bearer " + token, tokens.Token{}, nil
}
func (c bearerCredentials) String() string   { return "Bearer(redacted)" }
func (c bearerCredentials) GoString() string { return c.String() }

type sourceCredentials struct{ source func() tokens.Source }

func (c sourceCredentials) kind() auth { return authBearer }
func (c sourceCredentials) authorization(ctx context.Context) (string, tokens.Token, error) {
	source := c.source()
	if source == nil {
		return "", tokens.Token{}, errors.New("the token source is nil")
	}
	token, err := source.Token(ctx)
	if err != nil {
		return "", tokens.Token{}, fmt.Errorf("get token: %w", err)
	}
	if token.ResourceServer != "" && token.ResourceServer != resourceServer {
		return "", tokens.Token{}, fmt.Errorf("the token is for %q; Globus Auth takes tokens of %q only", token.ResourceServer, resourceServer)
	}
	if err := checkToken(token.AccessToken); err != nil {
		return "", tokens.Token{}, err
	}
	return "Bearer " + token.AccessToken, token, nil
}
func (c sourceCredentials) String() string   { return "TokenSource" }
func (c sourceCredentials) GoString() string { return c.String() }

// checkToken refuses what would end the header early, such as a token read
// from a file with its newline.
func checkToken(token string) error {
	if token == "" {
		return errors.New("the access token is empty")
	}
	for _, b := range []byte(token) {
		if b <= ' ' || b > '~' {
			return errors.New("the access token holds a blank, a newline or another character that no token has")
		}
	}
	return nil
}
