// Command resourceserver is an API that receives Globus tokens.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/scopes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "resourceserver:", err)
		os.Exit(1)
	}
}

// run serves the API. JOBS_SCOPE is the scope that callers need, OPERATORS the ID of a group.
func run(ctx context.Context) error {
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return err
	}
	auth, err := globusauth.New(config)
	if err != nil {
		return err
	}
	api, err := resourceserver.New(resourceserver.Config{
		OAuth:   flows.Config{Auth: auth, ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET")},
		Rules:   []resourceserver.Rule{resourceserver.AllScopes(scopes.Scope(os.Getenv("JOBS_SCOPE")))},
		Details: true,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /whoami", api.Protect(http.HandlerFunc(whoami)))
	mux.Handle("GET /reports", api.Protect(http.HandlerFunc(reports), resourceserver.Fresh(30*time.Minute), resourceserver.SessionDomains("example.edu")))
	mux.Handle("GET /machines", api.Protect(http.HandlerFunc(machines), resourceserver.AnyGroup(os.Getenv("OPERATORS"))))
	server := &http.Server{Addr: os.Getenv("LISTEN"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { <-ctx.Done(); _ = server.Close() }()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

func whoami(w http.ResponseWriter, r *http.Request) {
	caller := resourceserver.Caller(r.Context())
	respond(w, map[string]any{"username": caller.Username, "sub": caller.Subject, "linked": len(caller.Linked)})
}

func reports(w http.ResponseWriter, r *http.Request) {
	respond(w, map[string]any{"reports": []string{"for " + resourceserver.Caller(r.Context()).Username}})
}

func machines(w http.ResponseWriter, _ *http.Request) {
	respond(w, map[string]any{"machines": []string{"a", "b"}})
}

func respond(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}
