package globusauth_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
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

// The keys are fetched once, whichever clients the tokens are for and whichever copy is asked.
func TestClientIDTokens_SharesKeys(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var fetched atomic.Int32
	var base string
	client := serve(t, globusauth.Config{}, func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/keys" {
			_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
			return
		}
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys","id_token_signing_alg_values_supported":["EdDSA"]}`, base, base)
	})
	base = client.Issuer()
	for _, id := range []string{"a", "b", "a"} {
		verifier := client.WithCredentials(globusauth.Basic("a", "b")).IDTokens()
		for audience, accepted := range map[string]bool{id: true, "another": false} {
			_, err := verifier.Verify(t.Context(), signed(private, base, audience, time.Now().Add(time.Minute)), idtoken.Expect{ClientID: id, NoNonce: true})
			if (err == nil) != accepted {
				t.Errorf("client %s, audience %s: %v", id, audience, err)
			}
		}
	}
	if got := fetched.Load(); got != 2 {
		t.Errorf("%d requests, want one for the configuration and one for the keys", got)
	}
	if _, err := client.IDTokens().Verify(t.Context(), signed(private, base, "a", time.Now().Add(time.Minute)), idtoken.Expect{NoNonce: true}); err == nil ||
		!strings.Contains(err.Error(), "ClientID is empty") {
		t.Errorf("no client ID: %v", err)
	}
}

// signed is an ID token that was issued a minute before its expiry.
func signed(key ed25519.PrivateKey, issuer, audience string, expiry time.Time) string {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}`)) + "." + base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"iss":%q,"aud":%q,"sub":"alice","iat":%d,"exp":%d}`, issuer, audience, expiry.Add(-time.Minute).Unix(), expiry.Unix()))
	return encoded + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(encoded)))
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
	verifier := client.WithCredentials(nil).IDTokens()
	verify := func(expiry time.Time) error {
		_, err := verifier.Verify(t.Context(), signed(private, "https://auth.globus.org", "client", expiry), idtoken.Expect{ClientID: "client", NoNonce: true})
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
