package filestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
)

// Keep a login where a Python GlobusApp named "My App" keeps it.
func Example() {
	dir, err := os.MkdirTemp("", "example") // without Dir, it is ~/.globus/app
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	store, err := filestore.New(filestore.Config{AppName: "My App", Dir: dir})
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
	path, err := store.Path(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	path, err = filepath.Rel(dir, path)
	fmt.Println(filepath.ToSlash(path), err)
	// Output:
	// {token for "groups.api.globus.org"} <nil>
	// 7fb58e00-839d-44e3-8047-10a502612dca/my-app/tokens.json <nil>
}
