package sqlitestore_test

import (
	"context"
	"fmt"
	"os"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// Keep a login where a Python GlobusApp named "My App" keeps it in SQLite.
func Example() {
	dir, err := os.MkdirTemp("", "example") // without Dir, it is ~/.globus/app
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	store, err := sqlitestore.New(sqlitestore.Config{AppName: "My App", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := tokens.Key{ClientID: "7fb58e00-839d-44e3-8047-10a502612dca"}
	_, err = store.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
		login, err := tokens.NewSet(tokens.Token{AccessToken: "secret", ResourceServer: "groups.api.globus.org"})
		return current.Merge(login), err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := store.Load(ctx, key)
	fmt.Println(set, err)
	// Output:
	// {token for "groups.api.globus.org"} <nil>
}
