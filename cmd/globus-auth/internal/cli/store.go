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

// openStore opens the store, by default in the directory of the official SDK for an
// app of this name. A kind with a path separator is the path of one JSON file for one
// client.
func openStore(s settings, client *globusauth.Client) (tokens.Store, error) {
	kind, dir := s.store, s.storeDir
	if strings.ContainsRune(filepath.ToSlash(kind), '/') {
		switch {
		case s.clientID == "":
			return nil, usagef("--store %s is the file of one client: name it with --client-id", kind)
		case dir != "":
			return nil, usagef("--store %s names a file: leave --store-dir out", kind)
		}
		return filestore.New(filestore.Config{Path: kind, ClientID: s.clientID, Environment: client.Environment(), Address: client.Address()})
	}
	switch kind {
	case "", "file":
		return filestore.New(filestore.Config{AppName: appName, Dir: dir})
	case "sqlite":
		return sqlitestore.New(sqlitestore.Config{AppName: appName, Dir: dir})
	case "keyring":
		return keyringstore.New(keyringstore.Config{AppName: appName, Dir: dir})
	}
	return nil, usagef("--store %q is invalid: use file, sqlite, keyring, or a path such as ./tokens.json", kind)
}

// key is where the login of a configuration is stored.
func key(config app.Config) tokens.Key {
	return tokens.Key{
		ClientID: config.ClientID, Environment: config.Client.Environment(), Address: config.Client.Address(), Namespace: config.Namespace,
	}
}

// onlyClient returns the one client with a stored login.
func onlyClient(ctx context.Context, config app.Config) (string, error) {
	config.ClientID = "any"
	want, err := key(config).Normal()
	if err != nil {
		return "", usagef("--profile: %w", err)
	}
	keys, err := config.Store.Keys(ctx)
	var clients []string
	for _, key := range keys {
		if key.Environment == want.Environment && key.Address == want.Address && key.Namespace == want.Namespace {
			clients = append(clients, key.ClientID)
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
	config.ClientID = ""
	return "", errNotLoggedIn(config)
}
