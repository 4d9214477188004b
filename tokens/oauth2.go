package tokens

import (
	"context"
	"time"

	"golang.org/x/oauth2"
)

// OAuth2 makes any source an oauth2.TokenSource, for libraries that take one.
// Each call of its Token method is bound to ctx: when ctx ends, so do the calls
// that wait. It is safe for concurrent use. Libraries that go on to wrap it
// in oauth2.ReuseTokenSource keep a token until ten seconds before its end.
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

// plain returns the token as x/oauth2 has it. The fields that oauth2.Token does not have are in its
// Extra: scope, resource_server, id_token and identity_id.
func plain(t Token) *oauth2.Token {
	extra := map[string]any{}
	for key, value := range map[string]string{
		"scope":           t.Scope,
		"resource_server": t.ResourceServer,
		"id_token":        t.IDToken,
		"identity_id":     t.IdentityID,
	} {
		if value != "" {
			extra[key] = value
		}
	}
	plain := &oauth2.Token{
		AccessToken:  t.AccessToken,
		TokenType:    t.TokenType,
		RefreshToken: t.RefreshToken,
		Expiry:       t.Expiry,
		ExpiresIn:    int64(t.Lifetime / time.Second),
	}
	return plain.WithExtra(extra)
}
