package app_test

import (
	"testing"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// One confidential client, one store, one namespace: a person's tokens and the client's own
// are never used for each other, in whatever order they come.
func TestApp_PersonAndServiceInOneStore(t *testing.T) {
	t.Parallel()
	for name, itself := range map[string]bool{"a person's token is stored": false, "the client's token is stored": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			ready := w.Ready()
			person := w.user(t, func(c *app.Config) {
				c.ClientID, c.ClientSecret, c.RedirectURI = ready.ConfidentialClientID, ready.ConfidentialClientSecret, ready.ConfidentialRedirectURI
			})
			service := w.service(t, func(c *app.Config) { c.Store, c.Scopes = w.store, append(c.Scopes, scopes.AuthOpenID) })
			first, second := person, service
			if itself {
				first, second = service, person
			}
			mine := token(t, first.Source(scopes.AuthResourceServer))
			before, err := first.Tokens(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			valid, logins := w.valid(), w.person.count()

			wantLogin(t, second.LoginRequired(t.Context()), app.ErrIdentityMismatch)
			_, err = second.Source(scopes.AuthResourceServer).Token(t.Context())
			wantLogin(t, err, app.ErrIdentityMismatch)
			_, err = second.Source(scopes.TransferResourceServer).(tokens.Renewer).Renew(t.Context(), mine)
			wantLogin(t, err, app.ErrIdentityMismatch)
			wantLogin(t, second.Login(t.Context(), app.LoginOptions{Force: true}), app.ErrIdentityMismatch)
			_, err = second.AuthClient().GetUserinfo(t.Context())
			wantLogin(t, err, app.ErrIdentityMismatch)

			after, err := first.Tokens(t.Context())
			if err != nil || !after.Equal(before) || w.person.count() != logins {
				t.Errorf("stored %v, %v, %d logins", after, err, w.person.count())
			}
			if len(w.valid()) != len(valid) {
				t.Errorf("%d tokens are valid, %d were", len(w.valid()), len(valid))
			}
			if got := token(t, first.Source(scopes.AuthResourceServer)); got != mine {
				t.Error("the first app lost its token")
			}
		})
	}
}

// A login whose person is unknown is not destroyed by a service, and its refresh token not taken over;
// a token of unknown identity without one is replaced.
func TestNewService_UnknownIdentity(t *testing.T) {
	t.Parallel()
	for name, refresh := range map[string]string{"with a refresh token": "a-refresh-token", "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, authtest.Config{})
			key := tokens.Key{ClientID: w.Ready().ConfidentialClientID, Address: w.client.Address()}
			service := w.service(t, func(c *app.Config) { c.Store = w.store })
			stored := tokens.Token{ResourceServer: scopes.TransferResourceServer, AccessToken: "an-access-token", RefreshToken: refresh, Scope: string(scopes.TransferAll)}
			set, err := w.store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) { return tokens.NewSet(stored) })
			if err != nil {
				t.Fatal(err)
			}
			got, err := service.Source(scopes.TransferResourceServer).Token(t.Context())
			login := service.Login(t.Context(), app.LoginOptions{Force: true})
			after, loadErr := w.store.Load(t.Context(), key)
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			if refresh == "" {
				if err != nil || login != nil || got.AccessToken == stored.AccessToken || got.IdentityID != key.ClientID {
					t.Errorf("token %v, %v, login %v", got, err, login)
				}
				return
			}
			wantLogin(t, err, app.ErrIdentityMismatch)
			wantLogin(t, login, app.ErrIdentityMismatch)
			if !after.Equal(set) {
				t.Errorf("stored %v", after)
			}
		})
	}
}

// A person's token that another program stores in the place of a service's own is noticed
// when it is read, and is not overwritten.
func TestNewService_TokenTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{})
	key := tokens.Key{ClientID: w.Ready().ConfidentialClientID, Address: w.client.Address()}
	service := w.service(t, func(c *app.Config) { c.Store, c.Scopes = w.store, append(c.Scopes, scopes.AuthOpenID) })
	source := service.Source(scopes.AuthResourceServer)
	token(t, source)
	foreign := w.Issue(authtest.Grant{User: w.Ready().Users[0].Username, Client: key.ClientID, Scopes: []string{"openid"}})[0]
	if _, err := w.store.Update(t.Context(), key, func(tokens.Set) (tokens.Set, error) {
		return tokens.NewSet(tokens.Token{
			ResourceServer: scopes.AuthResourceServer, AccessToken: foreign.AccessToken, RefreshToken: "a-refresh-token",
			Scope: "openid", IdentityID: w.Ready().Users[0].IdentityID,
		})
	}); err != nil {
		t.Fatal(err)
	}
	w.Advance(49 * 3600e9)
	_, err := source.Token(t.Context())
	wantLogin(t, err, app.ErrIdentityMismatch)
	_, err = source.(tokens.Renewer).Renew(t.Context(), tokens.Token{AccessToken: foreign.AccessToken})
	wantLogin(t, err, app.ErrIdentityMismatch)
	set, err := w.store.Load(t.Context(), key)
	if kept, _ := set.ByResourceServer(scopes.AuthResourceServer); err != nil || kept.RefreshToken != "a-refresh-token" {
		t.Errorf("stored %v, %v", set, err)
	}
}
