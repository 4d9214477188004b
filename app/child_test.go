package app_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

const (
	// envChild makes this test program one process of the fleet.
	envChild = "GLOBUSAUTH_FLEET_CHILD"
	// envFleet is the size of the fleet test: "long" is 16 processes of 8
	// goroutines for 30 seconds. Anything else is short.
	envFleet = "GLOBUSAUTH_FLEET"
	// envKills is how often the kill test kills a process, for each store.
	envKills = "GLOBUSAUTH_KILLS"
)

// child is what a process of these tests is told.
type child struct {
	BaseURL    string
	ClientID   string
	Job        string // "fleet", "kill" or "live"
	Store      string // "file" or "sqlite"
	Dir        string
	Goroutines int
	Time       time.Duration
}

// report is what it says at its end.
type report struct {
	Tokens, Calls int64
	Distinct      int // tokens that it has seen
	Errors        []string
}

func (c child) store() (tokens.Store, error) {
	if c.Store == "sqlite" {
		return sqlitestore.New(sqlitestore.Config{AppName: "fleet", Dir: c.Dir})
	}
	return filestore.New(filestore.Config{AppName: "fleet", Dir: c.Dir})
}

func (c child) user(config app.Config) (*app.App, error) {
	store, err := c.store()
	if err != nil {
		return nil, err
	}
	client, err := globusauth.New(globusauth.Config{BaseURL: c.BaseURL, Timeout: 20 * time.Second})
	if err != nil {
		return nil, err
	}
	config.Client, config.Store, config.ClientID, config.Scopes = client, store, c.ClientID, scopes.List{scopes.AuthOpenID}
	return app.NewUser(config)
}

// childMain runs a process of these tests, if this is one.
func childMain() bool {
	told := os.Getenv(envChild)
	if told == "" {
		return false
	}
	var c child
	if err := json.Unmarshal([]byte(told), &c); err != nil {
		panic(err)
	}
	if c.Job != "fleet" {
		c.refresh(c.Job == "kill")
		return true
	}
	_ = json.NewEncoder(os.Stdout).Encode(c.run())
	return true
}

func (c child) run() report {
	var r report
	user, err := c.user(app.Config{NoLogin: true})
	if err != nil {
		return report{Errors: []string{err.Error()}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Time)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]bool{}
	failed := func(err error) {
		if ctx.Err() != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if len(r.Errors) < 5 {
			r.Errors = append(r.Errors, err.Error())
		}
	}
	source, auth := user.Source(scopes.AuthResourceServer), user.AuthClient()
	var given, calls atomic.Int64
	var all sync.WaitGroup
	for range c.Goroutines {
		all.Go(func() {
			pause := time.NewTicker(20 * time.Millisecond)
			defer pause.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				token, err := source.Token(ctx)
				if err != nil {
					failed(err)
				} else {
					given.Add(1)
					mu.Lock()
					seen[token.AccessToken] = true
					mu.Unlock()
				}
				if i%10 == 0 { // that the token works
					if _, err := auth.GetUserinfo(ctx); err != nil {
						failed(err)
					} else {
						calls.Add(1)
					}
				}
				select {
				case <-pause.C:
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
	if err := user.Close(context.Background()); err != nil { // a refresh that was sent is stored
		r.Errors = append(r.Errors, err.Error())
	}
	r.Tokens, r.Calls, r.Distinct = given.Load(), calls.Load(), len(seen)
	return r
}

// command is the process.
func (c child) command(tb testing.TB) *exec.Cmd {
	tb.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	command := exec.CommandContext(tb.Context(), os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), envChild+"="+string(text))
	return command
}
