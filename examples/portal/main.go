// Command portal is a web site with a sign-in with Globus.
package main

import (
	"context"
	"flag"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

var page = template.Must(template.New("page").Parse(`<!doctype html><title>Portal</title>
{{with .}}<p>Signed in as {{.Claims.PreferredUsername}}{{range .Linked}}, with {{.Claims.PreferredUsername}}{{end}}.</p>
<form method="post" action="/link"><button>Link another account</button></form>
<form method="post" action="/logout"><button>Sign out</button></form><p><a href="/settings">Settings</a></p>
{{else}}<p><a href="/login?next=/">Sign in with Globus</a></p>{{end}}`))

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "portal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("portal", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8000", "address to listen on")
	redirectURI := flags.String("redirect-uri", "http://127.0.0.1:8000/callback", "registered redirect URI")
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
	flow := flows.Config{
		Auth: auth, ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
		Scopes:      scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail},
		RedirectURI: *redirectURI,
	}
	site, err := login.NewWeb(login.WebConfig{
		Flow:    flow,
		OnLogin: welcome,
		OnError: func(r *http.Request, err error) { slog.Warn("login", "path", r.URL.Path, "err", err) },
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", site.Start)
	mux.HandleFunc("GET /callback", site.Callback)
	mux.HandleFunc("POST /logout", site.Logout)
	mux.HandleFunc("POST /link", site.Link)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		session, err := site.Session(r)
		if err != nil {
			http.Error(w, "the session store does not respond", http.StatusServiceUnavailable)
			return
		}
		_ = page.Execute(w, session)
	})
	mux.HandleFunc("GET /settings", func(w http.ResponseWriter, r *http.Request) {
		session, ok := site.Require(w, r, login.Demand{Fresh: 15 * time.Minute})
		if !ok {
			return // the browser is on its way to a login, and comes back
		}
		_, _ = fmt.Fprintln(w, "Settings of", session.Claims.PreferredUsername)
	})
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- server.Shutdown(context.WithoutCancel(ctx)) }) // waits for logins in progress
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return <-ended
}

// welcome refuses a login by returning an error.
func welcome(_ *http.Request, result *login.Result) error {
	slog.Info("logged in", "identity", result.Claims.Sub, "next", result.Next)
	return nil
}
