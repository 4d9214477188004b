package tokens_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// What a login gave, found by resource server or scope, and printed without its secrets.
func Example() {
	set, err := tokens.NewSet(
		tokens.Token{AccessToken: "secret one", ResourceServer: scopes.AuthResourceServer, Scope: "openid email"},
		tokens.Token{AccessToken: "secret two", ResourceServer: scopes.TransferResourceServer, Scope: string(scopes.TransferAll)},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	transfer, found := set.ByResourceServer("transfer.api.globus.org")
	fmt.Println(found, transfer.Scopes())
	auth, err := set.ByScopes("openid", "email")
	fmt.Println(auth.ResourceServer, err)
	_, err = set.ByScopes("openid", scopes.TransferAll)
	fmt.Println(err)
	fmt.Println(set)
	// Output:
	// true urn:globus:auth:scope:transfer.api.globus.org:all
	// auth.globus.org <nil>
	// tokens: find by scopes: the scopes ["openid" "urn:globus:auth:scope:transfer.api.globus.org:all"] belong to different tokens
	// {token for "auth.globus.org" with scope "openid email"; token for "transfer.api.globus.org" with scope "urn:globus:auth:scope:transfer.api.globus.org:all"}
}

// A daemon's token: renewed in time, however many goroutines use it.
func ExampleNewRefreshing() {
	ctx := context.Background()
	grant := func(context.Context) (tokens.Set, error) { // a client credentials grant, say
		return tokens.NewSet(tokens.Token{
			AccessToken: "from the service", ResourceServer: scopes.GroupsResourceServer,
			Expiry: time.Now().Add(48 * time.Hour), Lifetime: 48 * time.Hour,
		})
	}
	source, err := tokens.NewRefreshing(tokens.RefreshingConfig{
		Store:          tokens.NewMemory(),
		Key:            tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"},
		ResourceServer: scopes.GroupsResourceServer,
		Grant:          grant,
		OnChange: func(_ context.Context, token tokens.Token) error {
			_, err := fmt.Println("new:", token.ResourceServer)
			return err
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		token, err := source.Token(ctx)
		fmt.Println(token.AccessToken, err)
	}
	// Output:
	// new: groups.api.globus.org
	// from the service <nil>
	// from the service <nil>
	// from the service <nil>
}

// An http.Client whose token goes to one service only.
func ExampleNewTransport() {
	transport, err := tokens.NewTransport(tokens.TransportConfig{
		Source:         tokens.Static(tokens.Token{AccessToken: "secret"}), // or a Refreshing
		ResourceServer: scopes.GroupsResourceServer,
		Base:           http.DefaultTransport,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.org/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	fmt.Println(err)
	// Output:
	// tokens: send request: the token is not meant for example.org:443, only for groups.api.globus.org:443: add the host to Hosts if it should be, or use another client
}

// Any library that takes an oauth2.TokenSource takes any source.
func ExampleOAuth2() {
	source := tokens.Static(tokens.Token{AccessToken: "secret", ResourceServer: "groups.api.globus.org"})
	plain := tokens.OAuth2(context.Background(), source)
	token, err := plain.Token()
	fmt.Println(token.Type(), token.Valid(), err)
	// Output:
	// Bearer true <nil>
}

// The storage form keeps the secrets; plain JSON does not.
func ExampleSet_MarshalStorage() {
	set, err := tokens.NewSet(tokens.Token{AccessToken: "secret", ResourceServer: "rs", Scope: "s", Expiry: time.Unix(1700000000, 0)})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := set.MarshalStorage()
	fmt.Println(string(stored), err)
	back, err := tokens.UnmarshalStorage(stored)
	fmt.Println(back.Equal(set), err)
	// Output:
	// {"rs":{"resource_server":"rs","scope":"s","access_token":"secret","expires_at_seconds":1700000000}} <nil>
	// true <nil>
}
