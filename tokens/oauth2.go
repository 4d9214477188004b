package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
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
		return token.OAuth2(), nil
	})
}

// oauth2Source is a function, since x/oauth2's interface has no context parameter.
type oauth2Source func() (*oauth2.Token, error)

func (f oauth2Source) Token() (*oauth2.Token, error) { return f() }

// FromOAuth2 reads a token that x/oauth2 obtained from Globus Auth: the token
// itself, and those of further resource servers in its other_tokens. It is the way back from
// [Token.OAuth2] too. An answer without a resource_server is an error, since
// nobody could say whom the token is for.
func FromOAuth2(plain *oauth2.Token) (Set, error) {
	if plain == nil {
		return Set{}, errors.New("tokens: from oauth2: the token is nil")
	}
	text := func(key string) string {
		value, _ := plain.Extra(key).(string)
		return value
	}
	first := Token{
		AccessToken:    plain.AccessToken,
		RefreshToken:   plain.RefreshToken,
		TokenType:      plain.TokenType,
		ResourceServer: text("resource_server"),
		Scope:          text("scope"),
		Expiry:         plain.Expiry,
		Lifetime:       seconds(plain.ExpiresIn),
		IdentityID:     text("identity_id"),
		IDToken:        text("id_token"),
	}
	if first.Lifetime == 0 {
		first.Lifetime = seconds(plain.Extra("expires_in"))
	}
	list := []Token{first}
	others, _ := plain.Extra("other_tokens").([]any)
	for i, other := range others {
		members, ok := other.(map[string]any)
		if !ok {
			return Set{}, fmt.Errorf("tokens: from oauth2: other_tokens[%d] is not an object", i)
		}
		list = append(list, otherToken(members, first))
	}
	set, err := NewSet(list...)
	if err != nil {
		return Set{}, fmt.Errorf("tokens: from oauth2: %w", err)
	}
	return set, nil
}

// otherToken reads an item of other_tokens. All tokens of an answer were issued
// together, which gives the items their absolute expiry.
func otherToken(members map[string]any, first Token) Token {
	text := func(key string) string {
		value, _ := members[key].(string)
		return value
	}
	token := Token{
		AccessToken:    text("access_token"),
		RefreshToken:   text("refresh_token"),
		TokenType:      text("token_type"),
		ResourceServer: text("resource_server"),
		Scope:          text("scope"),
		Lifetime:       seconds(members["expires_in"]),
		IdentityID:     first.IdentityID,
		IDToken:        text("id_token"),
	}
	if token.Lifetime > 0 && first.Lifetime > 0 && !first.Expiry.IsZero() {
		token.Expiry = first.Expiry.Add(token.Lifetime - first.Lifetime)
	}
	return token
}

// seconds reads expires_in in the forms x/oauth2 leaves it in; anything else,
// and anything too long to count, is unknown.
func seconds(value any) time.Duration {
	var count float64
	switch value := value.(type) {
	case int64:
		count = float64(value)
	case float64:
		count = value
	case json.Number:
		count, _ = value.Float64()
	}
	if !(count > 0 && count < math.MaxInt64/float64(time.Second)) {
		return 0
	}
	return time.Duration(count) * time.Second
}
