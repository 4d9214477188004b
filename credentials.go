package globusauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Credentials authenticate a client or a user. Make them with [Basic], [Bearer] or
// [BearerFrom]. They print without their secret.
type Credentials struct {
	kind auth
	name string // without the secret
	err  error  // why they cannot be sent
	// The functions keep the secret out of everything that prints a struct.
	authorization func(ctx context.Context) (header string, used tokens.Token, err error)
	renew         func(ctx context.Context, refused tokens.Token) (tokens.Token, error) // nil if they cannot be renewed
}

// String names the credentials without their secret.
func (c Credentials) String() string { return c.name }

// auth is a set of ways to authenticate that an operation accepts.
type auth uint8

const (
	authNone auth = 1 << iota
	authBasic
	authBearer
)

// Basic are the credentials of a confidential client. The header has the ID and
// secret as they are, not form-encoded as RFC 6749 section 2.3.1 requires: the
// official SDKs send them this way and the service accepts it. An ID with a colon and
// control characters in either are an error of [New] and of every call (RFC 7617
// section 2).
func Basic(clientID, clientSecret string) *Credentials {
	c := &Credentials{kind: authBasic, name: "Basic(" + clientID + ")"}
	switch {
	case strings.Contains(clientID, ":"):
		c.err = errors.New("the client ID contains a colon")
	case strings.ContainsFunc(clientID+clientSecret, unicode.IsControl):
		c.err = errors.New("the client ID or secret contains a newline or another control character")
	}
	c.authorization = func(context.Context) (string, tokens.Token, error) {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+clientSecret)), tokens.Token{}, nil
	}
	return c
}

// Bearer is one access token of the resource server auth.globus.org. It cannot
// be renewed: when it has expired, calls fail with [apierror.ErrUnauthorized].
func Bearer(accessToken string) *Credentials {
	c := BearerFrom(tokens.Static(tokens.Token{AccessToken: accessToken}))
	c.name = "Bearer"
	return c
}

// BearerFrom gets a token from source before every request. The token must be of
// the resource server auth.globus.org. If source is also a [tokens.Renewer], a
// request that is refused with 401 is retried once with a renewed token.
func BearerFrom(source tokens.Source) *Credentials {
	c := &Credentials{kind: authBearer, name: "BearerFrom"}
	if source == nil {
		c.err = errors.New("the token source is nil")
	}
	if renewer, ok := source.(tokens.Renewer); ok {
		c.renew = renewer.Renew
	}
	c.authorization = func(ctx context.Context) (string, tokens.Token, error) {
		token, err := source.Token(ctx)
		switch {
		case err != nil:
			err = fmt.Errorf("get token: %w", err)
		case token.ResourceServer != "" && token.ResourceServer != scopes.AuthResourceServer:
			err = fmt.Errorf("the token is for %q; Globus Auth accepts only tokens of %q", token.ResourceServer, scopes.AuthResourceServer)
		case token.AccessToken == "":
			err = errors.New("the access token is empty")
		case strings.ContainsFunc(token.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }): // such as the newline of a file
			err = errors.New("the access token contains a space, a newline or another invalid character")
		}
		return "Bearer " + token.AccessToken, token, err
	}
	return c
}

// authorize adds the credentials to a request and returns the token that it sends. An error must not show
// them.
func (x *exchange) authorize(req *http.Request) (tokens.Token, error) {
	if x.credentials.authorization == nil {
		return tokens.Token{}, nil
	}
	header, token, err := x.credentials.authorization(req.Context())
	if err != nil {
		return tokens.Token{}, err
	}
	req.Header.Set("Authorization", header)
	_, secret, _ := strings.Cut(header, " ")
	_, password, _ := req.BasicAuth()
	x.secrets = append(x.secrets, secret, password)
	return token, nil
}
