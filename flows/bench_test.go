package flows_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"testing"

	"golang.org/x/oauth2"

	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/internal/bench"
)

// BenchmarkStart starts a login, compared with the least that any library has to do for the same parameters (floor), and
// with x/oauth2, which leaves state and nonce to the caller.
func BenchmarkStart(b *testing.B) {
	text := func() string {
		var random [32]byte
		_, _ = rand.Read(random[:])
		return base64.RawURLEncoding.EncodeToString(random[:])
	}
	portal := flows.Config{Auth: production(b), ClientID: clientID, ClientSecret: clientSecret, Scopes: wanted, RedirectURI: redirectURI}
	config := oauth2.Config{
		ClientID: clientID, RedirectURL: redirectURI, Endpoint: oauth2.Endpoint{AuthURL: "https://auth.globus.org/v2/oauth2/authorize"}, Scopes: []string{wanted.String()},
	}
	bench.CPU(b, bench.Case{Name: "floor", Run: func() {
		sum := sha256.Sum256([]byte(text()))
		query := url.Values{
			"client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {wanted.String()}, "response_type": {"code"}, "state": {text()},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "access_type": {"online"}, "nonce": {text()},
		}
		if query.Encode() == "" {
			b.Fatal()
		}
	}}, bench.Case{Name: "flows", Run: func() {
		login, err := portal.Start()
		if err != nil || login.URL() == "" {
			b.Fatal(err)
		}
	}}, bench.Case{Name: "x/oauth2", Run: func() {
		verifier := oauth2.GenerateVerifier()
		if config.AuthCodeURL(text(), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", text())) == "" {
			b.Fatal()
		}
	}})
}
