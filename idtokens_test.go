package globusauth_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/idtoken"
)

func TestClientIssuer(t *testing.T) {
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

func TestClientNow(t *testing.T) {
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

// All copies of a client share one verifier for each client ID, which fetches the keys
// once.
func TestClientIDTokenVerifier_IsShared(t *testing.T) {
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

// Every verifier has a copy of the configured options, and New checks them.
func TestConfigIDTokens_ReachTheVerifier(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	options := idtoken.Options{
		JWKS: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), Leeway: time.Second,
	}
	now := time.Unix(1_800_000_000, 0)
	client, err := globusauth.New(globusauth.Config{IDTokens: options, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	options.JWKS[0] = 'x'
	verifier, err := client.WithCredentials(nil).IDTokenVerifier("client")
	if err != nil {
		t.Fatal(err)
	}
	verify := func(expiry time.Time) error {
		encoded := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}`)) + "." + base64.RawURLEncoding.EncodeToString(
			fmt.Appendf(nil, `{"iss":"https://auth.globus.org","aud":"client","sub":"alice","iat":1800000000,"exp":%d}`, expiry.Unix()))
		raw := encoded + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(encoded)))
		_, err := verifier.Verify(t.Context(), raw, idtoken.Expect{NoNonce: true})
		return err
	}
	if err := verify(now.Add(time.Second)); err != nil {
		t.Errorf("a token signed by the pinned key: %v", err)
	}
	if err := verify(now.Add(-2 * time.Second)); !errors.Is(err, idtoken.ErrExpired) {
		t.Errorf("a token that expired more than the leeway ago: %v", err)
	}
	if _, err := globusauth.New(globusauth.Config{IDTokens: idtoken.Options{JWKS: []byte("x")}}); err == nil ||
		!strings.HasPrefix(err.Error(), "globusauth: Config.IDTokens: ") || !strings.Contains(err.Error(), "JWKS") {
		t.Errorf("wrong JWKS: %v", err)
	}
}
