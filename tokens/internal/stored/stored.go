// Package stored is the form in which a token is stored: the one list of its fields.
package stored

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Token is one token as the official Python SDK stores it (token storage format
// 2.0), with three fields of our own that it carries along unread:
// lifetime_seconds, requested_scope and id_token.
type Token struct {
	ResourceServer  string `json:"resource_server"`
	IdentityID      string `json:"identity_id,omitzero"`
	Scope           string `json:"scope"`
	AccessToken     string `json:"access_token"`
	RefreshToken    string `json:"refresh_token,omitzero"`
	ExpiresAt       *int64 `json:"expires_at_seconds"`
	TokenType       string `json:"token_type,omitzero"`
	LifetimeSeconds int64  `json:"lifetime_seconds,omitzero"`
	Requested       string `json:"requested_scope,omitzero"`
	IDToken         string `json:"id_token,omitzero"`
}

// Overlay puts a stored token over the one it replaces, of which only the fields
// that [Token] does not have are kept.
func Overlay(before, after jsontext.Value) (jsontext.Value, error) {
	if len(before) == 0 {
		return after, nil
	}
	var merged struct {
		Token

		Unknown map[string]jsontext.Value `json:",embed"`
	}
	if err := json.Unmarshal(before, &merged); err != nil {
		return nil, errors.New("it is not an object with the fields of a token")
	}
	merged.Token = Token{}
	if err := json.Unmarshal(after, &merged.Token); err != nil {
		return nil, err
	}
	return json.Marshal(merged, json.Deterministic(true))
}
