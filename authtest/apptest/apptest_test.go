package apptest_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/scopes"
)

func newUser(t *testing.T, server *authtest.Server) *app.App {
	t.Helper()
	config := apptest.Config(t, server, "bob@example.edu")
	config.Scopes = scopes.List{scopes.TransferAll}
	user, err := app.NewUser(config)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// A test of a program leaves the developer's home as it was, and runs again.
func TestConfig_LeavesTheHomeUntouched(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for range 2 {
		server := authtest.New(t)
		user := newUser(t, server)
		info, err := user.AuthClient().GetUserinfo(t.Context())
		if err != nil || info.Sub != server.Ready().Users[1].IdentityID {
			t.Errorf("userinfo %+v, %v", info, err)
		}
		server.Advance(49 * time.Hour)
		if _, err := user.Source(scopes.TransferResourceServer).Token(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("in the home: %v, %v", left, err)
	}
}

// In a bubble a server without a network has the bubble's clock: retries wait, and
// tokens expire, in no time.
func TestConfig_InASynctestBubbleNothingWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, err := authtest.NewServer(authtest.Config{BaseURL: "https://auth.test"})
		if err != nil {
			t.Fatal(err)
		}
		user := newUser(t, server)
		source := user.Source(scopes.TransferResourceServer)
		first, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(49 * time.Hour)
		if second, err := source.Token(t.Context()); err != nil || second.AccessToken == first.AccessToken {
			t.Errorf("not renewed: %v", err)
		}

		began := server.Now()
		server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "getUserinfo", Status: 429, RetryAfter: 7, Times: 1})
		if _, err := user.AuthClient().GetUserinfo(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := server.Now().Sub(began); waited != 7*time.Second {
			t.Errorf("waited %v, want what Retry-After says", waited)
		}
		for _, fault := range []authtest.Fault{
			{Kind: authtest.FaultStatus, Status: 503}, {Kind: authtest.FaultDropBefore}, {Kind: authtest.FaultDropAfter}, {Kind: authtest.FaultTruncate},
		} {
			server.ClearFaults()
			fault.Operation = "getUserinfo"
			server.Inject(fault)
			_, err := user.AuthClient().GetUserinfo(t.Context())
			if err == nil || fault.Status != 0 && !errors.Is(err, apierror.ErrServer) {
				t.Errorf("%s: %v", fault.Kind, err)
			}
			if seen := server.Snapshot().Faults[0].Seen; seen != 6 {
				t.Errorf("%s: %d attempts, want 6", fault.Kind, seen)
			}
		}
	})
}

// TestClient_WaitsOnTheServersClock has a server on the network that asks for patience: the pauses before retries
// pass on its clock.
func TestClient_WaitsOnTheServersClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault authtest.Fault
		least time.Duration
		fails bool
	}{
		"429":           {authtest.Fault{Status: 429, RetryAfter: 7, Times: 2}, 14 * time.Second, false},
		"a lasting 503": {authtest.Fault{Status: 503}, 7 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := authtest.New(t)
			test.fault.Kind = authtest.FaultStatus
			server.Inject(test.fault)
			_, err := apptest.Client(t, server).GetOpenIDConfiguration(t.Context())
			if (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			if ahead := time.Until(server.Now()); ahead < test.least-time.Second {
				t.Errorf("the server's clock is %s ahead, want at least %s", ahead, test.least)
			}
		})
	}
}
