package tokens

import (
	"context"

	"golang.org/x/oauth2"
)

// OAuth2 makes any source an oauth2.TokenSource, for libraries that take one.
// Each call of its Token method is bound to ctx: when ctx ends, so do the calls
// that wait. It is safe for concurrent use. Libraries that go on to wrap it
// in oauth2.ReuseTokenSource keep a token until ten seconds before its end.
// They get the access token and its expiry, and no refresh token: using it is left to source.
func OAuth2(ctx context.Context, source Source) oauth2.TokenSource {
	return oauth2Source(func() (*oauth2.Token, error) {
		token, err := source.Token(ctx)
		if err != nil {
			return nil, err
		}
		return plain(token), nil
	})
}

// oauth2Source is a function, since x/oauth2's interface has no context parameter.
type oauth2Source func() (*oauth2.Token, error)

func (f oauth2Source) Token() (*oauth2.Token, error) { return f() }

func plain(t Token) *oauth2.Token {
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, Expiry: t.Expiry}
}
