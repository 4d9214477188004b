// Command tool lists a user's Transfer tasks. The first run logs in, later runs use the
// stored tokens.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:])
	if errors.Is(err, tokens.ErrLoginRequired) {
		fmt.Fprintln(os.Stderr, "tool: log in first: run the tool in a terminal, without -cron")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("tool", flag.ContinueOnError)
	clientID := flags.String("client-id", os.Getenv("CLIENT_ID"), "ID of the native client")
	address := flags.String("url", "https://transfer.api.globus.org/v0.10/task_list", "URL of the task list")
	noBrowser := flags.Bool("no-browser", false, "print the link and read the code")
	cron := flags.Bool("cron", false, "fail instead of logging in")
	logout := flags.Bool("logout", false, "revoke and delete the tokens")
	if err := flags.Parse(args); err != nil {
		return err
	}

	environment, err := globusauth.FromEnvironment() // production, unless GLOBUS_SDK_* says otherwise
	if err != nil {
		return err
	}
	environment.AppName = "my-tool"
	auth, err := globusauth.New(environment)
	if err != nil {
		return err
	}
	config := app.Config{
		Client: auth, ClientID: *clientID, Name: "my-tool",
		Scopes:  scopes.List{scopes.TransferAll},
		Getenv:  os.Getenv, // to detect SSH sessions and missing desktops
		NoLogin: *cron,
	}
	if *noBrowser {
		config.Login = login.CommandLine{}
	}
	user, err := app.NewUser(config)
	if err != nil {
		return err
	}
	defer user.Close(ctx) // waits for a renewal in progress
	if *logout {
		return user.Logout(ctx, app.LogoutOptions{})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *address, http.NoBody)
	if err != nil {
		return err
	}
	client, err := user.HTTPClient(ctx, scopes.TransferResourceServer, req.URL.Host)
	if err != nil {
		return err
	}
	return listTasks(client, req)
}

func listTasks(client *http.Client, req *http.Request) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("list tasks: status %s", resp.Status)
	}
	var list struct {
		Data []struct{ Label, Status string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&list); err != nil {
		return fmt.Errorf("list tasks: %w", err)
	}
	for _, task := range list.Data {
		fmt.Println(task.Status, task.Label)
	}
	return nil
}
