package tokens

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/globusauth/globusauth/internal/prefix"
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
			ResourceServer:  token.ResourceServer,
			IdentityID:      token.IdentityID,
			Scope:           token.Scope,
			Requested:       token.Requested,
			AccessToken:     token.AccessToken,
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
// wrote: unknown fields are ignored, null counts as absent. A missing resource_server,
// access_token or expires_at_seconds is an error, as is a value that [NewSet] refuses.
// Errors never quote the data.
func UnmarshalStorage(data []byte) (_ Set, err error) {
	defer prefix.Add(&err, "tokens: read stored tokens")
	var byName map[string]stored.Token
	if err := json.Unmarshal(data, &byName); err != nil || byName == nil {
		return Set{}, errors.New("they are not a JSON object of tokens") // err can quote the value that it stumbled over
	}
	list := make([]Token, 0, len(byName))
	for name, entry := range byName {
		lifetime := time.Duration(entry.LifetimeSeconds) * time.Second
		switch {
		case entry.ResourceServer != name:
			return Set{}, fmt.Errorf("the resource_server of %q is %q", name, entry.ResourceServer)
		case entry.ExpiresAt == nil:
			return Set{}, fmt.Errorf("expires_at_seconds of %q is missing", name)
		case int64(lifetime/time.Second) != entry.LifetimeSeconds:
			return Set{}, fmt.Errorf("lifetime_seconds of %q is out of range", name)
		}
		token := Token{
			AccessToken:    entry.AccessToken,
			RefreshToken:   entry.RefreshToken,
			TokenType:      entry.TokenType,
			ResourceServer: entry.ResourceServer,
			Scope:          entry.Scope,
			Requested:      entry.Requested,
			Lifetime:       lifetime,
			IdentityID:     entry.IdentityID,
			IDToken:        entry.IDToken,
		}
		if *entry.ExpiresAt != 0 {
			token.Expiry = time.Unix(*entry.ExpiresAt, 0)
		}
		list = append(list, token)
	}
	return NewSet(list...)
}
