package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/keyringstore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// openStore opens the token store. By default it is in the directory where the official SDK
// keeps tokens of an app of this name. A --store with a path separator is one JSON file for one
// client.
func (r *runner) openStore(client *globusauth.Client) (tokens.Store, error) {
	if strings.ContainsRune(filepath.ToSlash(r.store), '/') {
		switch {
		case r.clientID == "":
			return nil, usagef("%s %s is the file of one client: name it with --client-id", r.from("store"), r.store)
		case r.from("store-dir") == "--store-dir": // a flag that names a file replaces the variable
			return nil, usagef("%s %s names a file: omit --store-dir", r.from("store"), r.store)
		}
		return filestore.New(filestore.Config{Path: r.store, ClientID: r.clientID, Environment: client.Environment(), Address: client.Address()})
	}
	switch r.store {
	case "", "file":
		return filestore.New(filestore.Config{AppName: appName, Dir: r.storeDir})
	case "sqlite":
		return sqlitestore.New(sqlitestore.Config{AppName: appName, Dir: r.storeDir})
	case "keyring":
		return keyringstore.New(keyringstore.Config{AppName: appName, Dir: r.storeDir})
	}
	return nil, usagef("%s %q is invalid: use file, sqlite, keyring, or a path such as ./tokens.json", r.from("store"), r.store)
}

// onlyClient returns the one client with a stored login.
func (r *runner) onlyClient(ctx context.Context, config app.Config) (string, error) {
	want, err := config.Client.TokenKey("any", config.Namespace).Normal()
	if err != nil {
		return "", &problem{words: "--profile", err: err, code: ExitUsage}
	}
	keys, err := config.Store.Keys(ctx)
	var clients []string
	for _, key := range keys {
		client := key.ClientID
		if key.ClientID = want.ClientID; key == want {
			clients = append(clients, client)
		}
	}
	switch {
	case len(clients) > 1:
		return "", usagef("several clients are logged in; choose one with --client-id: %s", strings.Join(clients, ", "))
	case len(clients) == 1:
		return clients[0], nil
	case err != nil:
		return "", err
	}
	return "", r.errNotLoggedIn(config)
}
