package idtoken_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

// FuzzVerify changes tokens at will. Whatever is accepted must carry the very
// signature that was made, and whatever is refused names a check.
func FuzzVerify(f *testing.F) {
	good := globusToken(f, keyOne())
	f.Add(good)
	f.Add(strings.ToUpper(good))
	f.Add(good[:len(good)/2])
	f.Add(".." + good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSUzUxMiIsImtpZCI6IjEifQ.e30.AAAA")
	f.Add("eyJhbGciOiJSUzUxMiIsImNyaXQiOlsiYjY0Il19.e30.AAAA")
	verifier := newVerifier(f, offlineConfig(f))
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := verifier.Verify(t.Context(), raw, full())
		if err == nil {
			if raw != good {
				t.Fatal("accepted a token that was not signed")
			}
			return
		}
		if _, ok := errors.AsType[idtoken.CheckError](err); !ok {
			t.Fatalf("%v is not a CheckError", err)
		}
	})
}

// FuzzClaims changes the payload, as a provider gone wrong would. Whatever is
// accepted has what Verify promises.
func FuzzClaims(f *testing.F) {
	f.Add(encode(f, globusClaims()))
	f.Add(encode(f, with(globusClaims(), object{"aud": []string{clientID}})))
	f.Add([]byte(`{"aud":[[]],"exp":1e99,"iat":-0.5,"identity_set":[null,{}]}`))
	f.Add(encode(f, with(globusClaims(), object{"name": 7, "identity_set": []any{nil, "x", object{"sub": 1}}})))
	f.Add([]byte(`{"aud":"x","aud":"y"}`))
	f.Add([]byte(strings.Repeat(`{"a":[`, 50)))
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	config := offlineConfig(f)
	config.Options = idtoken.Options{JWKS: keySet(f, jwkOf(f, key.Public()))}
	verifier := newVerifier(f, config)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw := header + "." + base64.RawURLEncoding.EncodeToString(payload)
		raw += "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(raw)))
		claims, err := verifier.Verify(t.Context(), raw, idtoken.Expect{NoNonce: true})
		if err != nil {
			if _, ok := errors.AsType[idtoken.CheckError](err); !ok {
				t.Fatalf("%v is not a CheckError", err)
			}
			return
		}
		if claims.Sub == "" || !claims.Expiry.After(issued.Add(-300*time.Second)) ||
			claims.IssuedAt.After(issued.Add(300*time.Second)) || strings.TrimSuffix(claims.Issuer, "/") != issuer {
			t.Fatalf("accepted %+v", claims)
		}
		var again struct {
			Subject string `json:"sub"`
		}
		if err := claims.Decode(&again); err != nil || again.Subject != claims.Sub {
			t.Fatalf("decoded %v, %v", again, err)
		}
	})
}

// FuzzKeySet changes the published keys. A token of a key that is not among them is
// never accepted, and nothing that is published stops the program.
func FuzzKeySet(f *testing.F) {
	f.Add(keySet(f, publicJWK(keyOne())))
	f.Add(publicPEM(f, keyOne()))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":""},{"kty":"oct","k":"AA"},null,1]}`))
	raw := globusToken(f, keyTwo())
	strange := encode(f, publicJWK(keyTwo()))[:100]
	f.Fuzz(func(t *testing.T, keys []byte) {
		config := offlineConfig(t)
		config.Options.JWKS = append([]byte{}, keys...)
		verifier, err := idtoken.New(config)
		if !bytes.Equal(config.Options.JWKS, keys) {
			t.Fatal("New changed the caller's keys")
		}
		if err != nil {
			return
		}
		if _, err := verifier.Verify(context.Background(), raw, full()); err == nil && !bytes.Contains(keys, strange) {
			t.Fatal("accepted a token of another key")
		}
	})
}

// FuzzConfiguration changes the discovery document. Keys are never looked for on
// another host.
func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://auth.globus.org","jwks_uri":"https://auth.globus.org/jwk.json","id_token_signing_alg_values_supported":["RS512"]}`))
	f.Add([]byte(`{"issuer":"https://auth.globus.org/","jwks_uri":"https://auth.globus.org:443/jwk.json?a=b","id_token_signing_alg_values_supported":["none","RS512"]}`))
	f.Add([]byte(`{"issuer":"https://auth.globus.org","jwks_uri":"https://auth.globus.org@evil.example/","id_token_signing_alg_values_supported":["RS512"]}`))
	f.Add([]byte(`{"issuer":"https://auth.globus.org","jwks_uri":"//evil.example/","id_token_signing_alg_values_supported":[]}`))
	raw := globusToken(f, keyOne())
	published := keySet(f, publicJWK(keyOne()))
	f.Fuzz(func(t *testing.T, document []byte) {
		config := offlineConfig(t)
		config.Options.JWKS = nil
		var hosts []string
		config.HTTPClient = clientOf(document, published, &hosts)
		_, _ = newVerifier(t, config).Verify(t.Context(), raw, full()) // What counts is who was asked.
		for _, host := range hosts {
			if !strings.EqualFold(strings.TrimSuffix(host, ":443"), "auth.globus.org") {
				t.Fatalf("asked %q for keys", host)
			}
		}
	})
}
