package filestore_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// BenchmarkLoad is the price of a stored token. The floor reads and decodes the
// same file with the standard library, without a check.
func BenchmarkLoad(b *testing.B) {
	store := open(b, filestore.Config{})
	login := func(server string) tokens.Token {
		return tokens.Token{
			AccessToken:  "AgQ8bJXq9BzpmNlD2a7a0mGEb4Nkd2vP1yWxKQzO0rNqXjYlBkHgC3vM5dP8qWzXcVbNmAsDfGhJkL",
			RefreshToken: "AgLk3MnBvCxZaSdFgHjKlPoIuYtReWqAsDfGhJkLzXcVbNm1234567890qWeRtYuIoP",
			TokenType:    "Bearer", ResourceServer: server, Scope: "urn:globus:auth:scope:" + server + ":all",
			Expiry: time.Unix(1900000000, 0), Lifetime: 48 * time.Hour, IdentityID: "c8aad43e-d274-11e5-bf98-8b02896cf782",
		}
	}
	set, err := tokens.NewSet(login("auth.globus.org"), login("transfer.api.globus.org"), login("groups.api.globus.org"))
	if err != nil {
		b.Fatal(err)
	}
	put(b, store, testKey(), set)
	file := path(b, store, testKey())

	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			data, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			var stored struct {
				FormatVersion string `json:"format_version"`
				SDKVersion    string `json:"globus-sdk.version"`
				Data          map[string]map[string]struct {
					ResourceServer  string `json:"resource_server"`
					IdentityID      string `json:"identity_id"`
					Scope           string `json:"scope"`
					AccessToken     string `json:"access_token"`
					RefreshToken    string `json:"refresh_token"`
					ExpiresAt       int64  `json:"expires_at_seconds"`
					TokenType       string `json:"token_type"`
					LifetimeSeconds int64  `json:"lifetime_seconds"`
				} `json:"data"`
			}
			if err := json.Unmarshal(data, &stored); err != nil || stored.Data["DEFAULT"]["auth.globus.org"].AccessToken == "" {
				b.Fatal(err)
			}
		}
	})
	b.Run("Load", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		for b.Loop() {
			set, err := store.Load(ctx, testKey())
			if err != nil {
				b.Fatal(err)
			}
			if _, found := set.ByResourceServer("auth.globus.org"); !found {
				b.Fatal("no token")
			}
		}
	})
}
