// Command service looks up usernames as a service account.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/scopes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, usernames []string) error {
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return err
	}
	config.AppName = "my-service"
	auth, err := globusauth.New(config)
	if err != nil {
		return err
	}
	service, err := app.NewService(app.Config{
		Client: auth, ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
		Scopes: scopes.List{scopes.AuthViewIdentities},
	})
	if err != nil {
		return err
	}
	defer service.Close(ctx) // waits for a renewal in progress
	people, err := identitymap.New(identitymap.Config{Client: service.AuthClient()})
	if err != nil {
		return err
	}
	for username, result := range people.All(ctx, slices.Values(usernames)) {
		switch {
		case errors.Is(result.Err, identitymap.ErrNoIdentity):
			fmt.Println(username, "is unknown")
		case result.Err != nil:
			return result.Err
		default:
			fmt.Println(username, result.Identity.ID, result.Identity.Name)
		}
	}
	return nil
}
