package globusauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

// A client looks up an identity, here at a test double.
func Example() {
	globus, err := authtest.NewServer(authtest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	site := httptest.NewServer(globus.Handler())
	defer site.Close()
	token := globus.Issue(authtest.Grant{
		User: "alice@example.edu", Client: globus.Ready().NativeClientID, Scopes: []string{string(scopes.AuthViewIdentities)},
	})[0].AccessToken

	client, err := globusauth.New(globusauth.Config{BaseURL: site.URL, Credentials: globusauth.Bearer(token)})
	if err != nil {
		log.Fatal(err)
	}
	list, err := client.GetIdentities(context.Background(), &gen.GetIdentitiesParams{Usernames: []string{"bob@example.edu"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list.Identities[0].Name, list.Identities[0].ID)

	_, err = client.GetIdentity(context.Background(), "00000000-0000-4000-8000-000000000000", nil)
	fmt.Println(errors.Is(err, apierror.ErrNotFound))
	// Output:
	// Bob Brown f0000000-0000-4000-8000-000000000002
	// true
}
