package tokens_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// A client and a person who logged in to it share a store and a namespace by mistake.
func TestRefreshingToken_IdentityMismatch(t *testing.T) {
	t.Parallel()
	const client, person = "the client", "a person"
	token := func(server, identity, refresh string, lifetime time.Duration) tokens.Token {
		return tokens.Token{
			AccessToken: "stored", RefreshToken: refresh, ResourceServer: server, IdentityID: identity,
			Expiry: time.Now().Add(lifetime), Lifetime: 48 * time.Hour,
		}
	}
	for name, row := range map[string]struct {
		stored   func() tokens.Token
		refresh  bool   // how it is renewed, else by a grant
		identity string // configured
		issued   string // identity of what the service returns
		want     string // the token given out; empty: the mismatch
	}{
		"grant, the client's own":             {stored: func() tokens.Token { return token(transfer, client, "", time.Hour) }, identity: client, issued: client, want: "stored"},
		"grant, the client's own, due":        {stored: func() tokens.Token { return token(transfer, client, "", -time.Hour) }, identity: client, issued: client, want: "new"},
		"grant, a person's":                   {stored: func() tokens.Token { return token(transfer, person, "", time.Hour) }, identity: client, issued: client},
		"grant, a person's, due":              {stored: func() tokens.Token { return token(transfer, person, "R", -time.Hour) }, identity: client, issued: client},
		"grant, a person's elsewhere":         {stored: func() tokens.Token { return token("elsewhere", person, "R", time.Hour) }, identity: client, issued: client},
		"grant, unknown":                      {stored: func() tokens.Token { return token(transfer, "", "", time.Hour) }, identity: client, issued: client, want: "new"},
		"grant, unknown with refresh token":   {stored: func() tokens.Token { return token(transfer, "", "R", time.Hour) }, identity: client, issued: client},
		"grant, another's is issued":          {stored: func() tokens.Token { return token(transfer, client, "", -time.Hour) }, identity: client, issued: person},
		"grant over a person's, unasked":      {stored: func() tokens.Token { return token(transfer, person, "", -time.Hour) }, issued: client},
		"refresh, the person's own":           {stored: func() tokens.Token { return token(transfer, person, "R", -time.Hour) }, refresh: true, identity: person, issued: person, want: "new"},
		"refresh, unknown":                    {stored: func() tokens.Token { return token(transfer, "", "R", -time.Hour) }, refresh: true, identity: person, want: "new"},
		"refresh, another's":                  {stored: func() tokens.Token { return token(transfer, "another", "R", time.Hour) }, refresh: true, identity: person, issued: person},
		"refresh of unknown, gives another's": {stored: func() tokens.Token { return token(transfer, "", "R", -time.Hour) }, refresh: true, identity: person, issued: "another"},
		"refresh gives another's":             {stored: func() tokens.Token { return token(transfer, person, "R", -time.Hour) }, refresh: true, issued: "another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issue := func() (tokens.Set, error) {
					next := token(transfer, row.issued, "", time.Hour)
					next.AccessToken = "new"
					return tokens.NewSet(next)
				}
				store := tokens.NewMemory()
				before := mustSet(t, row.stored())
				put(t, store, before)
				config := tokens.RefreshingConfig{Store: store, Key: testKey(), ResourceServer: transfer, IdentityID: row.identity}
				if row.refresh {
					config.Refresh = func(context.Context, tokens.Token) (tokens.Set, error) { return issue() }
				} else {
					config.Grant = func(context.Context) (tokens.Set, error) { return issue() }
				}
				source, err := tokens.NewRefreshing(config)
				if err != nil {
					t.Fatal(err)
				}
				got, err := source.Token(t.Context())
				if row.want != "" {
					if err != nil || got.AccessToken != row.want {
						t.Errorf("got %v, %v; want %q", got, err, row.want)
					}
					return
				}
				if !errors.Is(err, tokens.ErrIdentityMismatch) || !errors.Is(err, tokens.ErrLoginRequired) || got.AccessToken != "" {
					t.Errorf("got %v, %v; want ErrIdentityMismatch", got, err)
				}
				if after, err := store.Load(t.Context(), testKey()); err != nil || !after.Equal(before) {
					t.Errorf("stored %v, %v; want it unchanged", after, err)
				}
			})
		})
	}
}

func TestRefreshingToken_AnotherLogsInMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, store, source := loggedIn(t, func(c *tokens.RefreshingConfig) { c.IdentityID = "me" })
		token := stored(t, store)
		want(t, source, "A0")
		token.IdentityID = "another"
		put(t, store, mustSet(t, token))
		time.Sleep(time.Minute)
		if got, err := source.Token(t.Context()); !errors.Is(err, tokens.ErrIdentityMismatch) {
			t.Errorf("got %v, %v; want ErrIdentityMismatch", got, err)
		}
	})
}
