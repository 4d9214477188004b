package flows

import (
	"strings"
	"time"

	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/tokens"
)

// maxExpiresIn is the longest life that is believed, in seconds: 100 years, far
// from where a time.Duration overflows.
const maxExpiresIn = 100 * 365 * 24 * 60 * 60

// listOf reads an answer of the token endpoint, which arrived at the time now.
func listOf(answer *gen.TokenAnswer, now time.Time) ([]tokens.Token, error) {
	list := make([]tokens.Token, 0, 1+len(answer.OtherTokens))
	if answer.AccessToken != "" || answer.ResourceServer != "" || len(answer.OtherTokens) == 0 {
		// The dependent grant answers with others only.
		list = append(list, tokens.Token{
			AccessToken: answer.AccessToken, RefreshToken: answer.RefreshToken, TokenType: answer.TokenType,
			ResourceServer: answer.ResourceServer, Scope: answer.Scope, IDToken: answer.IDToken,
			Lifetime: time.Duration(answer.ExpiresIn),
		})
	}
	for _, other := range answer.OtherTokens {
		list = append(list, tokens.Token{
			AccessToken: other.AccessToken, RefreshToken: other.RefreshToken, TokenType: other.TokenType,
			ResourceServer: other.ResourceServer, Scope: other.Scope, IDToken: other.IDToken,
			Lifetime: time.Duration(other.ExpiresIn),
		})
	}
	for i := range list {
		if err := complete(&list[i], now); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// complete checks a token as it was read and turns its expires_in, which
// Lifetime holds as a bare number of seconds, into times. Without one no end is known.
func complete(token *tokens.Token, now time.Time) error {
	seconds := int64(token.Lifetime)
	switch {
	case token.AccessToken == "":
		return refuse(ErrToken, "the answer holds no access_token for %q", token.ResourceServer)
	case token.ResourceServer == "":
		return refuse(ErrToken, "the answer does not say for which resource server its token is")
	case token.TokenType != "" && !strings.EqualFold(token.TokenType, "Bearer"):
		// RFC 6749 section 7.1: one must not use a token of a type one does not know.
		return refuse(ErrToken, "the token for %q is of the type %q; only Bearer is known", token.ResourceServer, token.TokenType)
	case seconds < 0 || seconds > maxExpiresIn:
		return refuse(ErrToken, "the token for %q has an expires_in of %d seconds", token.ResourceServer, seconds)
	}
	token.Lifetime = time.Duration(seconds) * time.Second
	if seconds > 0 {
		token.Expiry = now.Add(token.Lifetime)
	}
	return nil
}

func namesOf(list []tokens.Token) string {
	names := make([]string, len(list))
	for i, token := range list {
		names[i] = token.ResourceServer
	}
	return strings.Join(names, ", ")
}
