package filestore_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// login is a set of three tokens of usual length.
func login(b *testing.B, mark string) tokens.Set {
	b.Helper()
	var list []tokens.Token
	for _, server := range []string{"auth.globus.org", "transfer.api.globus.org", "groups.api.globus.org"} {
		list = append(list, tokens.Token{
			AccessToken:  mark + "gQ8bJXq9BzpmNlD2a7a0mGEb4Nkd2vP1yWxKQzO0rNqXjYlBkHgC3vM5dP8qWzXcVbNmAsDfGhJkL",
			RefreshToken: mark + "gLk3MnBvCxZaSdFgHjKlPoIuYtReWqAsDfGhJkLzXcVbNm1234567890qWeRtYuIoP",
			TokenType:    "Bearer", ResourceServer: server, Scope: "urn:globus:auth:scope:" + server + ":all",
			Expiry: time.Unix(1900000000, 0), Lifetime: 48 * time.Hour, IdentityID: "c8aad43e-d274-11e5-bf98-8b02896cf782",
		})
	}
	set, err := tokens.NewSet(list...)
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// BenchmarkLoad loads stored tokens, with all checks, also for files of killed processes. The floor reads and decodes the
// same file with os and encoding/json.
func BenchmarkLoad(b *testing.B) {
	store := open(b, filestore.Config{})
	put(b, store, testKey(), login(b, "A"))
	file := path(b, store, testKey())

	ctx := b.Context()
	bench.CPU(b, bench.Case{Name: "floor", Run: func() {
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
	}}, bench.Case{Name: "filestore", Limit: 2, Run: func() {
		set, err := store.Load(ctx, testKey())
		if err != nil {
			b.Fatal(err)
		}
		if _, found := set.ByResourceServer("auth.globus.org"); !found {
			b.Fatal("no token")
		}
	}})
}

// BenchmarkUpdate stores changed tokens, compared with writing the same file beside the old one, flushing it, renaming it
// over the old one and flushing the directory (floor). Beside that, the store locks, reads the file twice, and writes the change
// down before it makes it. It is wall time: the disk takes most of it.
func BenchmarkUpdate(b *testing.B) {
	store := open(b, filestore.Config{})
	sets := []tokens.Set{login(b, "A"), login(b, "B")}
	put(b, store, testKey(), sets[0])
	data, err := os.ReadFile(path(b, store, testKey()))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	bench.Wall(b, bench.Case{Name: "floor", Run: func() {
		file, err := os.CreateTemp(dir, "tokens")
		check(err)
		_, err = file.Write(data)
		check(errors.Join(err, file.Sync(), file.Close(), os.Rename(file.Name(), filepath.Join(dir, "tokens.json"))))
		folder, err := os.Open(dir)
		check(err)
		check(errors.Join(folder.Sync(), folder.Close()))
	}}, bench.Case{Name: "filestore", Limit: 1.5, Run: func() {
		n++
		_, err := store.Update(b.Context(), testKey(), func(tokens.Set) (tokens.Set, error) { return sets[n%2], nil })
		check(err)
	}})
}
