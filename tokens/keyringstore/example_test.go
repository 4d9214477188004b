package keyringstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/keyringstore"
)

// A token is stored and found again. Here a keyring in memory takes the place of that of the system.
func Example() {
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := keyringstore.New(keyringstore.Config{AppName: "my-tool", Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	key := tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"}
	_, err = store.Update(context.Background(), key, func(tokens.Set) (tokens.Set, error) {
		return tokens.NewSet(tokens.Token{ResourceServer: "auth.globus.org", AccessToken: "a-token", Scope: "openid"})
	})
	if err != nil {
		log.Print(err)
		return
	}
	set, err := store.Load(context.Background(), key)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(set.ByResourceServer("auth.globus.org"))
	// Output:
	// token for "auth.globus.org" with scope "openid" true
}
