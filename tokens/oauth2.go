package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
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
// [Token.OAuth2] too. What cannot be used is left out, as [Salvage] does, and is in the
// [Set.Problems]; it is an error only if no token is usable. One without a resource_server
// is not, since no caller could tell where it may be sent.
func FromOAuth2(plain *oauth2.Token) (Set, error) {
	if plain == nil {
		return Set{}, errors.New("tokens: from oauth2: the token is nil")
	}
	first := tokenOf(plain.Extra)
	first.AccessToken, first.RefreshToken, first.TokenType, first.Expiry = plain.AccessToken, plain.RefreshToken, plain.TokenType, plain.Expiry
	first.Lifetime = cmp.Or(seconds(plain.ExpiresIn), first.Lifetime)
	list := []Token{first}
	var problems []error
	others, ok := plain.Extra("other_tokens").([]any)
	if !ok && plain.Extra("other_tokens") != nil {
		problems = append(problems, errors.New("other_tokens is not a list"))
	}
	for i, other := range others {
		fields, ok := other.(map[string]any)
		if !ok {
			problems = append(problems, fmt.Errorf("other_tokens[%d] is not an object", i))
			continue
		}
		token := tokenOf(func(key string) any { return fields[key] })
		token.IdentityID = first.IdentityID
		// All tokens of a response were issued together, which gives these their expiry.
		if token.Lifetime > 0 && first.Lifetime > 0 && !first.Expiry.IsZero() {
			token.Expiry = first.Expiry.Add(token.Lifetime - first.Lifetime)
		}
		list = append(list, token)
	}
	set := Salvage(list, problems...)
	if len(set.list()) == 0 {
		return Set{}, fmt.Errorf("tokens: from oauth2: no token is usable: %w", errors.Join(set.Problems()...))
	}
	return set, nil
}

// tokenOf reads the fields of a token response; one of another JSON type reads as absent.
func tokenOf(field func(key string) any) Token {
	text := func(key string) string {
		value, _ := field(key).(string)
		return value
	}
	return Token{
		AccessToken:    text("access_token"),
		RefreshToken:   text("refresh_token"),
		TokenType:      text("token_type"),
		ResourceServer: text("resource_server"),
		Scope:          text("scope"),
		Lifetime:       seconds(field("expires_in")),
		IdentityID:     text("identity_id"),
		IDToken:        text("id_token"),
	}
}

// seconds reads expires_in: a whole number, however JSON spells it, or digits in a
// text. Anything else, and anything too long to count, is unknown.
func seconds(value any) time.Duration {
	var count float64
	switch value := value.(type) {
	case int64:
		count = float64(value)
	case float64:
		count = value
	case json.Number:
		count, _ = value.Float64()
	case string:
		digits, _ := strconv.ParseUint(value, 10, 63)
		count = float64(digits)
	}
	if count != math.Trunc(count) || !(count > 0 && count < math.MaxInt64/float64(time.Second)) {
		return 0
	}
	return time.Duration(count) * time.Second
}
