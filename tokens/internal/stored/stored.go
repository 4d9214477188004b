// Package stored is the form in which a token is stored: the one list of its fields.
package stored

import (
	"errors"
	"maps"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Token is one token as the official Python SDK stores it (token storage format
// 2.0), with three fields of our own that it carries along unread:
// lifetime_seconds, requested_scope and id_token.
type Token struct {
	ResourceServer  *string `json:"resource_server"`
	IdentityID      string  `json:"identity_id,omitempty"`
	Scope           *string `json:"scope"`
	AccessToken     *string `json:"access_token"`
	RefreshToken    string  `json:"refresh_token,omitempty"`
	ExpiresAt       *int64  `json:"expires_at_seconds"`
	TokenType       string  `json:"token_type,omitempty"`
	LifetimeSeconds int64   `json:"lifetime_seconds,omitempty"`
	Requested       string  `json:"requested_scope,omitempty"`
	IDToken         string  `json:"id_token,omitempty"`
}

// Overlay puts a stored token over the one it replaces, of which only the fields
// that [Token] does not have are kept.
func Overlay(before, after jsontext.Value) (jsontext.Value, error) {
	if len(before) == 0 {
		return after, nil
	}
	var merged, fresh map[string]jsontext.Value
	if err := json.Unmarshal(before, &merged); err != nil || merged == nil {
		return nil, errors.New("the stored token is not an object")
	}
	if err := json.Unmarshal(after, &fresh); err != nil {
		return nil, err
	}
	for field := range reflect.TypeFor[Token]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(merged, name)
	}
	maps.Copy(merged, fresh)
	return json.Marshal(merged, json.Deterministic(true))
}
