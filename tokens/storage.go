package tokens

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/tokens/internal/stored"
)

// maxUnixSeconds is the last second of the year 9999, the last that RFC 3339 can write.
const maxUnixSeconds = 253402300799

// MarshalStorage writes the set with all its secrets: a JSON object keyed by
// resource server, each token in the form of the official Python SDK's token
// storage. Keep the result as you would a password; [UnmarshalStorage] reads it.
func (s Set) MarshalStorage() ([]byte, error) {
	byName := make(map[string]stored.Token, len(s.list()))
	for _, token := range s.list() {
		var expires int64 // the format demands a number; 0 is "no end known"
		if !token.Expiry.IsZero() {
			expires = token.Expiry.Unix()
		}
		byName[token.ResourceServer] = stored.Token{
			ResourceServer:  &token.ResourceServer,
			IdentityID:      token.IdentityID,
			Scope:           &token.Scope,
			Requested:       token.Requested,
			AccessToken:     &token.AccessToken,
			RefreshToken:    token.RefreshToken,
			ExpiresAt:       &expires,
			TokenType:       token.TokenType,
			LifetimeSeconds: int64(token.Lifetime / time.Second),
			IDToken:         token.IDToken,
		}
	}
	return stdjson.Marshal(byName) //nolint:gosec // writing the secrets is what it is for
}

// UnmarshalStorage reads what [Set.MarshalStorage] or the official Python SDK
// wrote: unknown fields are ignored, null counts as absent. A missing or
// mistyped resource_server, scope, access_token or expires_at_seconds is an error.
// Errors never quote the data.
func UnmarshalStorage(data []byte) (Set, error) {
	var byName map[string]*stored.Token
	if err := json.Unmarshal(data, &byName); err != nil {
		return Set{}, fmt.Errorf("tokens: read stored tokens: %w", withoutData(err))
	}
	if byName == nil {
		return Set{}, errors.New("tokens: read stored tokens: not a JSON object")
	}
	list := make([]Token, 0, len(byName))
	for name, entry := range byName {
		token, err := readStored(name, entry)
		if err != nil {
			return Set{}, fmt.Errorf("tokens: read stored token for %q: %w", name, err)
		}
		list = append(list, token)
	}
	set, err := NewSet(list...)
	if err != nil {
		return Set{}, fmt.Errorf("tokens: read stored tokens: %w", err)
	}
	return set, nil
}

func readStored(name string, s *stored.Token) (Token, error) {
	switch {
	case s == nil:
		return Token{}, errors.New("not a JSON object")
	case s.ResourceServer == nil:
		return Token{}, errors.New("resource_server is missing")
	case *s.ResourceServer != name:
		return Token{}, fmt.Errorf("its resource_server is %q", *s.ResourceServer)
	case s.Scope == nil:
		return Token{}, errors.New("scope is missing")
	case s.AccessToken == nil:
		return Token{}, errors.New("access_token is missing")
	case s.ExpiresAt == nil:
		return Token{}, errors.New("expires_at_seconds is missing")
	}
	if *s.ExpiresAt < 0 || *s.ExpiresAt > maxUnixSeconds {
		return Token{}, errors.New("expires_at_seconds is outside the years 1970 to 9999")
	}
	const maxLifetime = int64(1<<63-1) / int64(time.Second)
	if s.LifetimeSeconds < 0 || s.LifetimeSeconds > maxLifetime {
		return Token{}, errors.New("lifetime_seconds is out of range")
	}
	token := Token{
		AccessToken:    *s.AccessToken,
		RefreshToken:   s.RefreshToken,
		TokenType:      s.TokenType,
		ResourceServer: *s.ResourceServer,
		Scope:          *s.Scope,
		Requested:      s.Requested,
		Lifetime:       time.Duration(s.LifetimeSeconds) * time.Second,
		IdentityID:     s.IdentityID,
		IDToken:        s.IDToken,
	}
	if *s.ExpiresAt > 0 {
		token.Expiry = time.Unix(*s.ExpiresAt, 0)
	}
	return token, nil
}

// withoutData keeps what a JSON error says about place and type. Its text can
// quote the value that it stumbled over.
func withoutData(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("not valid JSON at byte %d", syntax.ByteOffset)
	}
	if kind, ok := errors.AsType[*json.SemanticError](err); ok {
		if kind.JSONPointer == "" {
			return errors.New("not a JSON object")
		}
		return fmt.Errorf("the field %q has the wrong JSON type", string(kind.JSONPointer))
	}
	return errors.New("not valid JSON")
}
