package place

import (
	"errors"
	"maps"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Overlay puts a stored token over the one it replaces, whose members that
// nobody here knows are kept.
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
	for _, ours := range [...]string{
		"resource_server", "identity_id", "scope", "access_token", "refresh_token",
		"expires_at_seconds", "token_type", "lifetime_seconds", "id_token",
	} {
		delete(merged, ours)
	}
	maps.Copy(merged, fresh)
	return json.Marshal(merged, json.Deterministic(true))
}
