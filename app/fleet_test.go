package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// Many processes with many goroutines share one login whose tokens expire all the
// time, at a service that rejects the reuse of a refresh token: none is reused, none
// is used before its access token was due, and every process always has a
// token that works.
func TestFleet(t *testing.T) {
	t.Parallel()
	processes, goroutines, duration := 4, 4, 3*time.Second
	if os.Getenv(envFleet) == "long" {
		processes, goroutines, duration = 16, 8, 30*time.Second
	}
	for _, store := range []string{"file", "sqlite"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			fleet(t, store, processes, goroutines, duration)
		})
	}
}

func fleet(t *testing.T, store string, processes, goroutines int, duration time.Duration) {
	t.Helper()
	const lifetime = 2 * time.Second
	server := authtest.NewWith(t, authtest.Config{AccessTokenLifetime: lifetime, RotateRefreshTokens: true, RecordedRequests: 1_000_000})
	told := child{
		BaseURL: server.BaseURL(), ClientID: server.Ready().NativeClientID, Job: "fleet", Store: store, Dir: t.TempDir(),
		Goroutines: goroutines, Time: duration,
	}
	user, err := told.user(app.Config{Login: &person{server: server}})
	if err != nil {
		t.Fatal(err)
	}
	if err := user.Login(t.Context(), app.LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	reports := runFleet(t, told, processes)
	var total report
	for i, r := range reports {
		total.Tokens += r.Tokens
		total.Calls += r.Calls
		for _, text := range r.Errors {
			t.Errorf("process %d: %s", i, text)
		}
		if r.Tokens == 0 || r.Calls == 0 || r.Distinct < 2 {
			t.Errorf("process %d did not see tokens expire: %+v", i, r)
		}
	}
	checkRefreshes(t, server, lifetime)
	t.Logf("%d processes of %d goroutines, %v: %d tokens given out, %d calls, refreshes %v",
		processes, goroutines, duration, total.Tokens, total.Calls, server.Stats().Grants["refresh_token"])
}

func runFleet(t *testing.T, told child, processes int) []report {
	t.Helper()
	reports := make([]report, processes)
	var all sync.WaitGroup
	for i := range reports {
		all.Go(func() {
			var out, errs bytes.Buffer
			command := told.command(t)
			command.Stdout, command.Stderr = &out, &errs
			if err := command.Run(); err != nil {
				t.Errorf("process %d: %v: %s", i, err, errs.String())
				return
			}
			if err := json.Unmarshal(out.Bytes(), &reports[i]); err != nil {
				t.Errorf("process %d said %q: %v", i, out.String(), err)
			}
		})
	}
	all.Wait()
	return reports
}

// checkRefreshes looks at what the service saw.
func checkRefreshes(t *testing.T, server *authtest.Server, lifetime time.Duration) {
	t.Helper()
	grants := server.Stats().Grants["refresh_token"]
	for outcome, n := range grants {
		if outcome != "ok" && n > 0 {
			t.Errorf("refreshes: %d times %s", n, outcome)
		}
	}
	used := map[string]bool{}
	var before time.Time
	count := 0
	for _, request := range server.Requests() {
		if request.Form.Get("grant_type") != "refresh_token" || request.Status != http.StatusOK {
			continue
		}
		count++
		secret := request.Form.Get("refresh_token")
		if used[secret] {
			t.Errorf("a refresh token was sent twice, at %v", request.Time)
		}
		used[secret] = true
		// The response came after the request; it was stored with its end cut to whole
		// seconds, and was due a tenth of its lifetime before that.
		due := before.Add(lifetime).Truncate(time.Second).Add(-lifetime / 10)
		if !before.IsZero() && request.Time.Before(due) {
			t.Errorf("refreshed at %v, the token of %v was due at %v", request.Time, before, due)
		}
		before = request.Time
	}
	if count != grants["ok"] || count < 2 {
		t.Errorf("%d refreshes recorded, %d counted", count, grants["ok"])
	}
}

// The fleet test must notice a store that does not exclude.
func TestFleet_NoticesReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.Config{RotateRefreshTokens: true})
	user := w.user(t, nil)
	token(t, user.Source(scopes.TransferResourceServer))
	old, err := w.store.Load(t.Context(), w.key())
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(49 * time.Hour)
	token(t, user.Source(scopes.TransferResourceServer))
	other := tokens.NewMemory() // what a process would have that read before
	if _, err := other.Update(t.Context(), w.key(), func(tokens.Set) (tokens.Set, error) { return old, nil }); err != nil {
		t.Fatal(err)
	}
	second := w.user(t, func(c *app.Config) { c.Store, c.NoLogin = other, true })
	_, err = second.Source(scopes.TransferResourceServer).Token(t.Context())
	if !errors.Is(err, tokens.ErrLoginRequired) || w.grants("refresh_token")["invalid_grant"] != 1 {
		t.Errorf("error %v, grants %v", err, fmt.Sprint(w.grants("refresh_token")))
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
}
