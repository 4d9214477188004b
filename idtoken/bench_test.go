package idtoken_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"
)

// BenchmarkVerify compares the verification of one Globus-shaped token, all checks
// included, with the floor (hashing and the RSA operation alone, on parts that are
// already decoded) and with other libraries, in one run. Read it as a ratio:
//
//	go test -run '^$' -bench Verify -benchmem ./idtoken
func BenchmarkVerify(b *testing.B) {
	key := keyOne()
	raw := globusToken(b, key)
	now := func() time.Time { return issued }

	b.Run("floor=sha512+rsa", func(b *testing.B) {
		dot := strings.LastIndexByte(raw, '.')
		signed := []byte(raw[:dot])
		signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			sum := sha512.Sum512(signed)
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA512, sum[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})

	verifier := newVerifier(b, offlineConfig(b))
	b.Run("idtoken", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := verifier.Verify(b.Context(), raw, full()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("idtoken-parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := verifier.Verify(b.Context(), raw, full()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})

	b.Run("peer=golang-jwt", func(b *testing.B) {
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS512"}), jwt.WithIssuer(issuer), jwt.WithAudience(clientID),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(300*time.Second), jwt.WithTimeFunc(now))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.Parse(raw, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("peer=jwx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jwxjwt.Parse([]byte(raw), jwxjwt.WithKey(jwa.RS512, &key.PublicKey), jwxjwt.WithValidate(true),
				jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(clientID), jwxjwt.WithClaimValue("nonce", nonce),
				jwxjwt.WithAcceptableSkew(300*time.Second), jwxjwt.WithClock(jwxjwt.ClockFunc(now))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("peer=go-oidc", func(b *testing.B) {
		peer := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{&key.PublicKey}},
			&oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{"RS512"}, Now: now})
		b.ReportAllocs()
		for b.Loop() {
			token, err := peer.Verify(b.Context(), raw)
			if err != nil {
				b.Fatal(err)
			}
			if token.Nonce != nonce || token.VerifyAccessToken(accessToken) != nil {
				b.Fatal("nonce or at_hash differs")
			}
		}
	})
}

// BenchmarkVerifyRatio takes turns at the floor and at Verify, so that a busy machine
// slows both, and reports how many times as long Verify takes.
func BenchmarkVerifyRatio(b *testing.B) {
	key := keyOne()
	raw := globusToken(b, key)
	verifier := newVerifier(b, offlineConfig(b))
	dot := strings.LastIndexByte(raw, '.')
	signed := []byte(raw[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	var floor, ours []time.Duration
	for b.Loop() {
		begin := time.Now()
		sum := sha512.Sum512(signed)
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA512, sum[:], signature); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := verifier.Verify(b.Context(), raw, full()); err != nil {
			b.Fatal(err)
		}
		floor, ours = append(floor, middle.Sub(begin)), append(ours, time.Since(middle))
	}
	slices.Sort(floor)
	slices.Sort(ours)
	median := len(floor) / 2
	b.ReportMetric(float64(ours[median])/float64(floor[median]), "x-floor")
	b.ReportMetric(float64(floor[median].Nanoseconds()), "floor-ns")
	b.ReportMetric(float64(ours[median].Nanoseconds()), "verify-ns")
}

// TestVerifierVerify_Allocations keeps the work per token small; the time is for the
// benchmark.
//
//nolint:paralleltest // testing.AllocsPerRun counts the allocations of all goroutines.
func TestVerifierVerify_Allocations(t *testing.T) {
	raw := globusToken(t, keyOne())
	verifier := newVerifier(t, offlineConfig(t))
	ctx, expect := context.Background(), full()
	got := testing.AllocsPerRun(100, func() {
		if _, err := verifier.Verify(ctx, raw, expect); err != nil {
			t.Fatal(err)
		}
	})
	if limit := 50.0; got > limit {
		t.Errorf("Verify makes %.0f allocations, more than %.0f", got, limit)
	}
}
