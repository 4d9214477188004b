package idtoken_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/globusauth/globusauth/internal/bench"
)

// BenchmarkVerify verifies an ID token of Globus Auth with all checks: RS512, 2048 bits, three linked identities, 2.2 kB. The
// floor is SHA-512 and rsa.VerifyPKCS1v15 alone; the peers verify with as many of the checks as they have.
func BenchmarkVerify(b *testing.B) {
	key := keyOne()
	raw := globusToken(b, key)
	now := func() time.Time { return issued }
	dot := strings.LastIndexByte(raw, '.')
	signed := []byte(raw[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	floor := func() {
		sum := sha512.Sum512(signed)
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA512, sum[:], signature); err != nil {
			b.Fatal(err)
		}
	}
	verifier := newVerifier(b, offlineConfig(b))
	ours := func() {
		if _, err := verifier.Verify(b.Context(), raw, full()); err != nil {
			b.Error(err)
		}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS512"}), jwt.WithIssuer(issuer), jwt.WithAudience(clientID),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(300*time.Second), jwt.WithTimeFunc(now))
	golangJWT := func() {
		if _, err := parser.Parse(raw, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }); err != nil {
			b.Fatal(err)
		}
	}
	jwx := func() {
		if _, err := jwxjwt.Parse([]byte(raw), jwxjwt.WithKey(jwa.RS512, &key.PublicKey), jwxjwt.WithValidate(true),
			jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(clientID), jwxjwt.WithClaimValue("nonce", nonce),
			jwxjwt.WithAcceptableSkew(300*time.Second), jwxjwt.WithClock(jwxjwt.ClockFunc(now))); err != nil {
			b.Fatal(err)
		}
	}
	peer := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{&key.PublicKey}},
		&oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{"RS512"}, Now: now})
	goOIDC := func() {
		token, err := peer.Verify(b.Context(), raw)
		if err != nil {
			b.Fatal(err)
		}
		if token.Nonce != nonce || token.VerifyAccessToken(accessToken) != nil {
			b.Fatal("nonce or at_hash differs")
		}
	}
	b.Run("one-core", func(b *testing.B) {
		bench.CPU(b, bench.Case{Name: "floor", Run: floor}, bench.Case{Name: "idtoken", Run: ours, Limit: 1.25},
			bench.Case{Name: "golang-jwt", Run: golangJWT}, bench.Case{Name: "go-oidc", Run: goOIDC}, bench.Case{Name: "jwx", Run: jwx})
		bench.Max(b, "idtoken-allocs", 30)
	})
	b.Run("all-cores", func(b *testing.B) {
		bench.Parallel(b, runtime.GOMAXPROCS(0), bench.Case{Name: "floor", Run: floor}, bench.Case{Name: "idtoken", Run: ours, Limit: 1.3})
	})
}
