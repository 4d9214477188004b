package idtoken_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/globusauth/globusauth/idtoken"
)

func publicPEM(tb testing.TB, key *rsa.PrivateKey) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func certificatePEM(tb testing.TB, key *rsa.PrivateKey) []byte {
	tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: issued}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func privatePEM(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

// jwkOf makes the JWK of any key.
func jwkOf(tb testing.TB, raw any) object {
	tb.Helper()
	key, err := jwk.FromRaw(raw)
	if err != nil {
		tb.Fatal(err)
	}
	var fields object
	if err := json.Unmarshal(encode(tb, key), &fields); err != nil {
		tb.Fatal(err)
	}
	return fields
}

// weakJWK is a key too small to be trusted. The modulus is not a product of
// primes, which is not checked.
func weakJWK(bits uint) object {
	modulus := new(big.Int).Lsh(big.NewInt(1), bits-1)
	modulus.SetBit(modulus, 0, 1)
	return object{"kty": "RSA", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(modulus.Bytes())}
}

// TestVerifierVerify_PublishedKeySets is the table of what may stand in a published key set.
func TestVerifierVerify_PublishedKeySets(t *testing.T) {
	t.Parallel()
	good := publicJWK(keyOne())
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	offCurve := with(jwkOf(t, curve.Public()), object{"x": strings.Repeat("A", 43)})
	twice := []byte(`{"keys":[{"kty":"RSA","kty":"RSA","n":"` + good["n"].(string) + `","e":"AQAB"}]}`)
	tests := []struct {
		name   string
		keys   []byte
		header object
		want   string // refused by this check
		broken string // the set cannot be used, and the error says this
	}{
		{name: "one key without kid", keys: keySet(t, good)},
		{name: "a key without alg and use", keys: keySet(t, with(good, object{"alg": nil, "use": nil}))},
		{name: "second of two keys without kid", keys: keySet(t, publicJWK(keyTwo()), good)},
		{name: "kid in the set only", keys: keySet(t, with(publicJWK(keyTwo()), object{"kid": "2"}), with(good, object{"kid": "1"}))},
		{name: "same kid twice", keys: keySet(t, with(publicJWK(keyTwo()), object{"kid": "1"}), with(good, object{"kid": "1"})), header: object{"kid": "1"}},
		{name: "key for verifying", keys: keySet(t, with(good, object{"key_ops": []string{"verify"}, "use": nil}))},
		{name: "beside keys that cannot be parsed", keys: keySet(t,
			object{}, object{"kty": "NEW", "x": 1}, object{"kty": "RSA"}, object{"kty": "RSA", "n": "!", "e": "AQAB"},
			with(good, object{"kid": 7}), offCurve, object{"kty": "oct", "k": "c2VjcmV0"}, weakJWK(1024), good)},
		{name: "beside values that are not keys", keys: encode(t, object{"keys": []any{nil, 1, "key", []int{1}, good}})},
		{name: "beside other fields", keys: encode(t, object{"keys": []object{good}, "issuer": "x", "version": 2})},
		{name: "32 keys", keys: keySet(t, append(slices.Repeat([]object{publicJWK(keyTwo())}, 31), good)...)},
		{name: "another kid", keys: keySet(t, with(good, object{"kid": "1"})), header: object{"kid": "2"}, want: "signature"},
		{name: "a key for RS256", keys: keySet(t, with(good, object{"alg": "RS256"})), want: "signature"},
		{name: "an elliptic key", keys: keySet(t, jwkOf(t, curve.Public())), want: "signature"},
		{name: "a key for encryption", keys: keySet(t, with(good, object{"use": "enc"})), broken: "none of the 1 keys"},
		{name: "a key for signing", keys: keySet(t, with(good, object{"key_ops": []string{"sign"}})), broken: "none of the 1 keys"},
		{name: "a private key", keys: keySet(t, jwkOf(t, keyOne())), broken: "none of the 1 keys"},
		{name: "a secret key", keys: keySet(t, object{"kty": "oct", "k": "c2VjcmV0"}), broken: "none of the 1 keys"},
		{name: "a weak key", keys: keySet(t, weakJWK(2047)), broken: "none of the 1 keys"},
		{name: "a huge key", keys: keySet(t, weakJWK(8193)), broken: "none of the 1 keys"},
		{name: "a point that is not on the curve", keys: keySet(t, offCurve), broken: "none of the 1 keys"},
		{name: "a field named twice", keys: twice, broken: "not a JWK set"},
		{name: "no keys", keys: keySet(t), broken: "none of the 0 keys"},
		{name: "33 keys", keys: keySet(t, slices.Repeat([]object{good}, 33)...), broken: "33 keys, more than the limit of 32"},
		{name: "a list", keys: []byte(`[]`), broken: "not a JWK set"},
		{name: "keys is no list", keys: []byte(`{"keys":{}}`), broken: "not a JWK set"},
		{name: "null", keys: []byte(`null`), broken: "not a JWK set"},
		{name: "not JSON", keys: []byte(`<html>`), broken: "not a JWK set"},
		{name: "deep nesting", keys: []byte(`{"keys":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]}`), broken: "not a JWK set"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.keys = test.keys
			inVirtualTime(t, p, func(t *testing.T, config idtoken.Config) {
				t.Helper()
				raw := sign(t, keyOne(), with(globusHeader(), test.header), globusClaims())
				_, err := newVerifier(t, config).Verify(t.Context(), raw, full())
				switch {
				case test.broken != "":
					if !errors.Is(err, idtoken.ErrUnavailable) || !strings.Contains(err.Error(), test.broken) {
						t.Errorf("got %v, want %q", err, test.broken)
					}
				case test.want != "":
					wantCheck(t, err, test.want)
				case err != nil:
					t.Error(err)
				}
			})
		})
	}
}

// TestVerifierVerify_EachAlgorithm verifies each algorithm that can be allowed, signed by jwx.
func TestVerifierVerify_EachAlgorithm(t *testing.T) {
	t.Parallel()
	curve := func(c elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		algorithm   jwa.SignatureAlgorithm
		key, public any
		hash        string // of the access token, the left half
	}{
		{jwa.RS256, keyOne(), keyOne().Public(), hash256},
		{jwa.RS384, keyOne(), keyOne().Public(), hash384},
		{jwa.RS512, keyOne(), keyOne().Public(), hash512},
		{jwa.PS256, keyOne(), keyOne().Public(), hash256},
		{jwa.PS384, keyOne(), keyOne().Public(), hash384},
		{jwa.PS512, keyOne(), keyOne().Public(), hash512},
		{algorithm: jwa.ES256, key: curve(elliptic.P256()), hash: hash256},
		{algorithm: jwa.ES384, key: curve(elliptic.P384()), hash: hash384},
		{algorithm: jwa.ES512, key: curve(elliptic.P521()), hash: hash512},
		{jwa.EdDSA, edwards, edwards.Public(), hash512},
	}
	for _, test := range tests {
		t.Run(test.algorithm.String(), func(t *testing.T) {
			t.Parallel()
			public := test.public
			if key, ok := test.key.(*ecdsa.PrivateKey); ok {
				public = key.Public()
			}
			raw, err := jws.Sign(encode(t, with(globusClaims(), object{"at_hash": test.hash})), jws.WithKey(test.algorithm, test.key))
			if err != nil {
				t.Fatal(err)
			}
			config := offlineConfig(t)
			config.Options.JWKS = keySet(t, jwkOf(t, public))
			verifier := newVerifier(t, config)
			if _, err := verifier.Verify(t.Context(), string(raw), full()); err != nil {
				t.Error(err)
			}
			raw[len(raw)-10] ^= 1
			if _, err := verifier.Verify(t.Context(), string(raw), full()); err == nil {
				t.Error("accepted with a changed signature")
			}
		})
	}
}

// The left halves of SHA-256, SHA-384 and SHA-512 of the access token, in base64url.
const (
	hash256 = "dPBRAByPabgRel-ZVWKylQ"
	hash384 = "RevxTOtUOP_-cO2p5ZX8U83RH5Ipz8YM"
	hash512 = "fgOEsHrjYSpAg2nmWXZQYmA91EHlDHWCAbQzkK2w-uE"
)

// TestNew_Config checks what a configuration may be.
func TestNew_Config(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*idtoken.Config)
		want   string // empty: it is right
	}{
		{"the least", func(*idtoken.Config) {}, ""},
		{"loopback issuer", func(c *idtoken.Config) { c.Issuer = "http://127.0.0.1:8080/" }, ""},
		{"loopback issuer by name", func(c *idtoken.Config) { c.Issuer = "http://localhost:8080" }, ""},
		{"loopback issuer, IPv6", func(c *idtoken.Config) { c.Issuer = "http://[::1]:8080" }, ""},
		{"issuer on http", func(c *idtoken.Config) { c.Issuer = "http://auth.globus.org" }, "Issuer: "},
		{"issuer on a host named like loopback", func(c *idtoken.Config) { c.Issuer = "http://127.0.0.1.example" }, "Issuer: "},
		{"issuer is no URL", func(c *idtoken.Config) { c.Issuer = "auth.globus.org" }, "Issuer: not an absolute URL"},
		{"configuration on http", func(c *idtoken.Config) { c.ConfigurationURL = "http://auth.globus.org/x" }, "ConfigurationURL: "},
		{"not keys", func(c *idtoken.Config) { c.Options.JWKS = []byte("key") }, "JWKS: not a JWK set"},
		{"private key in PEM", func(c *idtoken.Config) { c.Options.JWKS = privatePEM(keyOne()) }, "JWKS: none of the 1 keys"},
		{"PEM of something else", func(c *idtoken.Config) { c.Options.JWKS = []byte("-----BEGIN X-----\nYQ==\n-----END X-----\n") }, "JWKS: not a JWK set"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := idtoken.Config{ClientID: clientID}
			test.change(&config)
			verifier, err := idtoken.New(config)
			if test.want == "" {
				if err != nil || verifier == nil {
					t.Error(err)
				}
				return
			}
			if err == nil || verifier != nil || !strings.HasPrefix(err.Error(), "idtoken: new verifier: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
