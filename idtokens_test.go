package globusauth_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/idtoken"
)

func TestIssuer(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]globusauth.Config{
		"https://auth.globus.org":         {},
		"https://auth.preview.globus.org": {Environment: globusauth.Preview},
		"http://127.0.0.1:8080":           {BaseURL: "http://127.0.0.1:8080/"},
		"https://issuer.example.org/":     {BaseURL: "https://proxy.example.org/auth", Issuer: "https://issuer.example.org/"},
	} {
		client, err := globusauth.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Issuer(); got != want {
			t.Errorf("issuer %q, want %q", got, want)
		}
	}
	for _, bad := range []string{"auth.globus.org", "http://issuer.example.org", "https://issuer.example.org?x", "https://user@issuer.example.org"} {
		if _, err := globusauth.New(globusauth.Config{Issuer: bad}); err == nil || !strings.HasPrefix(err.Error(), "globusauth: Config.Issuer: ") {
			t.Errorf("issuer %q: error %v", bad, err)
		}
	}
}

func TestNowIsTheClientsClock(t *testing.T) {
	t.Parallel()
	fixed := time.Unix(1_800_000_000, 0)
	client, err := globusauth.New(globusauth.Config{Now: func() time.Time { return fixed }})
	if err != nil {
		t.Fatal(err)
	}
	if got := client.WithCredentials(nil).Now(); !got.Equal(fixed) {
		t.Errorf("now %s, want %s", got, fixed)
	}
}

// One verifier for each client ID, however many ask for it and through whichever
// copy, so that keys are fetched once.
func TestIDTokenVerifierIsShared(t *testing.T) {
	t.Parallel()
	client, err := globusauth.New(globusauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	found := make([]*idtoken.Verifier, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			copied := client.WithCredentials(globusauth.Basic("a", "b"))
			verifier, err := copied.IDTokenVerifier("client")
			if err != nil {
				t.Error(err)
			}
			found[i] = verifier
		})
	}
	wait.Wait()
	for i := range found {
		if found[i] == nil || found[i] != found[0] {
			t.Errorf("verifier %d is another one", i)
		}
	}
	other, err := client.IDTokenVerifier("another")
	if err != nil || other == found[0] {
		t.Errorf("another client's verifier is its own: %t, %v", other != found[0], err)
	}
	if _, err := client.IDTokenVerifier(""); err == nil || !strings.Contains(err.Error(), "ClientID") {
		t.Errorf("no client ID: %v", err)
	}
}
