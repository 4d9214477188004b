// Command fleet is a web portal and its workers, as many processes that share
// logins, sessions and lookups on Redis:
//
//	fleet portal 127.0.0.1:8001   a replica of the portal
//	fleet worker                  a worker, which acts for the users while they are away
//	fleet local                   Redis, a test double of Globus Auth, three replicas and two workers on this machine
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/redisstore"
	"github.com/globusauth/globusauth/tokens/sealed"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "portal":
		return portal(ctx, args[1])
	case len(args) == 1 && args[0] == "worker":
		return worker(ctx)
	case len(args) == 1 && args[0] == "local":
		return local(ctx, "127.0.0.1:8000", os.Stdout)
	}
	return errors.New("usage: fleet portal ADDRESS | fleet worker | fleet local")
}

// shared is what all processes of the fleet have in common.
type shared struct {
	flow     flows.Config
	redis    *redis.Client
	key      tink.AEAD
	store    tokens.Store
	sessions login.Sessions
}

func open() (*shared, error) {
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return nil, err
	}
	auth, err := globusauth.New(config)
	if err != nil {
		return nil, err
	}
	// A keyset that is stored encrypted, for a key management service, is better than a variable.
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(os.Getenv("KEYSET"))))
	if err != nil {
		return nil, fmt.Errorf("KEYSET: %w", err)
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return nil, errors.New("REDIS_URL is not a URL of Redis") // it may hold a password
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	store, err := redisstore.New(client, redisstore.Config{})
	if err != nil {
		return nil, err
	}
	logins, err := sealed.New(sealed.Config{Store: store, AEAD: key})
	if err != nil {
		return nil, err
	}
	unsealed, err := redisstore.NewSessions(client, redisstore.Config{})
	if err != nil {
		return nil, err
	}
	sessions, err := sealed.NewSessions(unsealed, key)
	if err != nil {
		return nil, err
	}
	flow := flows.Config{
		Auth: auth, ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"), RedirectURI: os.Getenv("REDIRECT_URI"),
		Scopes: scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail}, RefreshTokens: true,
	}
	return &shared{flow: flow, redis: client, key: key, store: logins, sessions: sessions}, nil
}

// userKey is where the login of a user is stored.
func (s *shared) userKey(identityID string) tokens.Key {
	return s.flow.Auth.TokenKey(s.flow.ClientID, identityID)
}

func portal(ctx context.Context, address string) error {
	s, err := open()
	if err != nil {
		return err
	}
	site, err := login.NewWeb(login.WebConfig{
		Flow: s.flow, Sessions: s.sessions,
		OnLogin: func(r *http.Request, result *login.Result) error { // the workers use these tokens
			_, err := s.store.Update(r.Context(), s.userKey(result.Claims.Sub), func(tokens.Set) (tokens.Set, error) { return result.Tokens, nil })
			return err
		},
		OnError: func(r *http.Request, err error) { slog.Warn("login", "path", r.URL.Path, "err", err) },
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", site.Start)
	mux.HandleFunc("GET /callback", site.Callback)
	mux.HandleFunc("POST /logout", site.Logout)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		session, err := site.Session(r)
		switch {
		case err != nil:
			http.Error(w, "the session store does not respond", http.StatusServiceUnavailable)
		case session == nil:
			_, _ = fmt.Fprintf(w, "Process %d: not signed in. Open /login\n", os.Getpid())
		default:
			_, _ = fmt.Fprintf(w, "Process %d: signed in as %s\n", os.Getpid(), session.Claims.PreferredUsername)
		}
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- server.Shutdown(context.WithoutCancel(ctx)) })
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return <-ended
}

func worker(ctx context.Context) error {
	s, err := open()
	if err != nil {
		return err
	}
	cache, err := redisstore.NewCache(s.redis, redisstore.CacheConfig{Seal: s.key, OnError: func(err error) { slog.Warn("cache", "err", err) }})
	if err != nil {
		return err
	}
	people, err := identitymap.New(identitymap.Config{
		Client:      s.flow.Auth.WithCredentials(globusauth.Basic(s.flow.ClientID, s.flow.ClientSecret)),
		SharedCache: cache,
	})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		keys, err := s.store.Keys(ctx)
		if err != nil {
			slog.Warn("worker", "err", err)
		}
		for _, key := range keys {
			if err := s.work(ctx, people, key); err != nil {
				slog.Warn("worker", "user", key.Namespace, "err", err)
			}
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// work does something for a user. A token that expires is refreshed by one process of the fleet.
func (s *shared) work(ctx context.Context, people *identitymap.Map, key tokens.Key) error {
	user, err := app.NewUser(app.Config{
		Client: s.flow.Auth, ClientID: s.flow.ClientID, ClientSecret: s.flow.ClientSecret, RedirectURI: s.flow.RedirectURI,
		Scopes: s.flow.Scopes, Store: s.store, Namespace: key.Namespace, NoLogin: true,
	})
	if err != nil {
		return err
	}
	defer user.Close(context.WithoutCancel(ctx)) // waits for a renewal in progress
	info, err := user.AuthClient().GetUserinfo(ctx)
	if err != nil {
		return err
	}
	who, err := people.Get(ctx, info.Sub)
	if err != nil {
		return err
	}
	fmt.Printf("Process %d: works for %s\n", os.Getpid(), who.Username)
	return nil
}
