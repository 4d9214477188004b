// Command resourceserver is an API that receives Globus tokens. It says who is calling,
// and asks Groups in the caller's name.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "resourceserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("resourceserver", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8000", "address to listen on")
	scope := flags.String("scope", "", "the scope that callers need")
	policy := flags.String("policy", "", "ID of a policy that /reports asks for")
	groups := flags.String("groups", "https://groups.api.globus.org/v2/groups/my_groups", "what to ask Groups")
	maxAge := flags.Duration("max-age", 30*time.Minute, "how old a login may be for /reports")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return err
	}
	auth, err := globusauth.New(config)
	if err != nil {
		return err
	}
	guard := &guard{
		flow:  flows.Config{Auth: auth, ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET")},
		scope: scopes.Scope(*scope), policy: *policy, maxAge: *maxAge,
	}
	if guard.scope == "" {
		return errors.New("-scope is missing")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /whoami", guard.protect(whoami))
	mux.Handle("GET /reports", guard.protect(guard.fresh(reports)))
	mux.Handle("GET /groups", guard.protect(guard.groups(*groups)))
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { <-ctx.Done(); _ = server.Close() }()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

func whoami(w http.ResponseWriter, _ *http.Request, who caller) {
	respond(w, http.StatusOK, map[string]any{"username": who.Username, "sub": who.Sub, "linked": len(who.IdentitySet)})
}

func reports(w http.ResponseWriter, _ *http.Request, who caller) {
	respond(w, http.StatusOK, map[string]any{"reports": []string{"for " + who.Username}})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
