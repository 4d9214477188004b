package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// refreshes is how many times a process that is left alone refreshes.
const refreshes = 8

// refresh is the process that is killed: it logs in and refreshes, again and
// again; without end unless it is left alone.
func (c child) refresh(endless bool) {
	user, err := c.user(app.Config{Login: &person{http: &http.Client{}}})
	if err != nil {
		panic(err)
	}
	source := user.Source(scopes.AuthResourceServer)
	token, err := source.Token(context.Background())
	for i := 0; endless || i < refreshes; i++ {
		if err != nil {
			panic(err)
		}
		token, err = source.(tokens.Renewer).Renew(context.Background(), token)
	}
	fmt.Println("done")
}

// A process that logs in and refreshes is killed at any instant. What
// is stored always works, if the service takes the refresh token before the last
// for a while. If it does not, a login is lost only when the response of the service was on its way: then
// the next process says that a login is needed, and the store takes it.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 2
	if text := os.Getenv(envKills); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for name, grace := range map[string]time.Duration{"grace": time.Hour, "no grace": 0} {
		for _, store := range []string{"file", "sqlite"} {
			t.Run(store+" "+name, func(t *testing.T) {
				t.Parallel()
				server := authtest.NewWith(t, authtest.Config{RotateRefreshTokens: true, RefreshTokenGrace: grace})
				k := &killer{server: server, told: child{BaseURL: server.BaseURL(), ClientID: server.Ready().NativeClientID, Store: store}}
				k.measure(t)
				for range kills {
					k.kill(t)
				}
				if grace > 0 && k.lost > 0 {
					t.Errorf("%d logins were lost", k.lost)
				}
				t.Logf("%d kills within %v: %d before the login was stored, %d logins lost", kills, 2*k.lifetime, k.before, k.lost)
			})
		}
	}
}

// killer kills processes.
type killer struct {
	server       *authtest.Server
	told         child
	lifetime     time.Duration // of a process that is not killed
	before, lost int
}

// measure lets one process live.
func (k *killer) measure(t *testing.T) {
	t.Helper()
	k.told.Dir, k.told.Job = t.TempDir(), "live"
	started := time.Now()
	out, err := k.told.command(t).CombinedOutput()
	if err != nil || string(out) != "done\n" {
		t.Fatalf("%v: %s", err, out)
	}
	k.lifetime = time.Since(started)
	k.look(t)
	if k.before+k.lost > 0 {
		t.Fatal("a process that was left alone lost its login")
	}
}

// kill kills one process, and looks at what it left.
func (k *killer) kill(t *testing.T) {
	t.Helper()
	k.told.Dir, k.told.Job = t.TempDir(), "kill"
	command := k.told.command(t)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	instant := time.NewTimer(rand.N(2 * k.lifetime))
	<-instant.C
	_ = command.Process.Kill()
	if err := command.Wait(); err == nil || out.Len() > 0 {
		t.Errorf("%v: %s", err, out.String())
	}
	k.look(t)
}

// look continues with the stored login, as the next process does.
func (k *killer) look(t *testing.T) {
	t.Helper()
	user, err := k.told.user(app.Config{NoLogin: true, Login: &person{server: k.server}})
	if err != nil {
		t.Fatal(err)
	}
	source := user.Source(scopes.AuthResourceServer)
	token, err := source.Token(t.Context())
	if errors.Is(err, app.ErrMissingToken) {
		k.before++
		return
	}
	if err != nil {
		t.Errorf("the stored login: %v", err)
		return
	}
	if _, err = source.(tokens.Renewer).Renew(t.Context(), token); err == nil {
		return
	}
	if !errors.Is(err, tokens.ErrLoginRequired) || !errors.Is(err, apierror.ErrInvalidGrant) {
		t.Errorf("refresh of the stored login: %v", err)
	}
	k.lost++
	if err := user.Login(t.Context(), app.LoginOptions{Force: true}); err != nil {
		t.Errorf("the next login: %v", err)
	}
}
