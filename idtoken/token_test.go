package idtoken_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/idtoken"
)

const (
	issuer      = "https://auth.globus.org"
	clientID    = "00000000-0000-0000-0000-0000000000aa"
	nonce       = "nonce-SECRET-1f0c"
	accessToken = "access-SECRET-7b2e"
)

// issued is the moment at which the tests' tokens are issued.
var issued = time.Unix(1_800_000_000, 0)

// The tests' keys are made once, since making them is slow.
var (
	keyOne   = sync.OnceValue(newKey)
	keyTwo   = sync.OnceValue(newKey)
	keyThree = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// object is a JSON object.
type object = map[string]any

// with gives a copy of an object with some fields changed; nil removes one.
func with(base, changes object) object {
	changed := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(changed, name)
		} else {
			changed[name] = value
		}
	}
	return changed
}

// globusHeader is the header of a Globus ID token: no kid.
func globusHeader() object { return object{"typ": "JWT", "alg": "RS512"} }

// globusClaims has the shape of a real Globus ID token with three linked identities.
func globusClaims() object {
	hash := sha512.Sum512([]byte(accessToken))
	return object{
		"iss": issuer, "aud": clientID, "sub": "00000000-0000-0000-0000-0000000000c1",
		"exp": issued.Unix() + 172800, "iat": issued.Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(hash[:32]), "nonce": nonce,
		"name": "Alice Example", "preferred_username": "alice@example.edu", "email": "alice@example.edu",
		"organization": "Example University", "identity_provider": "00000000-0000-0000-0000-0000000000b1",
		"identity_provider_display_name": "Example University", "last_authentication": issued.Unix() - 5,
		"identity_set": []object{
			{
				"sub": "00000000-0000-0000-0000-0000000000c1", "username": "alice@example.edu", "name": "Alice Example",
				"email": "alice@example.edu", "organization": "Example University",
				"identity_provider":              "00000000-0000-0000-0000-0000000000b1",
				"identity_provider_display_name": "Example University", "last_authentication": issued.Unix() - 5,
			},
			{
				"sub": "00000000-0000-0000-0000-0000000000c2", "username": "alice@globusid.org", "name": nil,
				"email": "alice+linked@example.edu", "identity_provider": "00000000-0000-0000-0000-0000000000b2",
				"identity_provider_display_name": "Globus ID", "last_authentication": nil,
			},
			{
				"sub": "00000000-0000-0000-0000-0000000000c3", "username": "alice@lab.example.org", "name": nil,
				"email": "alice@lab.example.org", "identity_provider": "00000000-0000-0000-0000-0000000000b3",
				"identity_provider_display_name": "Example Laboratory", "last_authentication": nil,
			},
		},
	}
}

func encode(tb testing.TB, value any) []byte {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// sign makes a token as Globus Auth does, with the standard library alone.
func sign(tb testing.TB, key *rsa.PrivateKey, header, claims object) string {
	tb.Helper()
	return signText(tb, key, encode(tb, header), encode(tb, claims))
}

// signText signs a header and payload that need not be JSON, with RS256 when the
// header says so and else with RS512.
func signText(tb testing.TB, key *rsa.PrivateKey, header, payload []byte) string {
	tb.Helper()
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	var named struct {
		Alg string `json:"alg"`
	}
	_ = json.Unmarshal(header, &named) // A header that is no JSON is signed with RS512.
	var signature []byte
	var err error
	if named.Alg == "RS256" {
		sum := sha256.Sum256([]byte(signed))
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	} else {
		sum := sha512.Sum512([]byte(signed))
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA512, sum[:])
	}
	if err != nil {
		tb.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// globusToken is a token that every check passes.
func globusToken(tb testing.TB, key *rsa.PrivateKey) string {
	tb.Helper()
	return sign(tb, key, globusHeader(), globusClaims())
}

// publicJWK is the published form of a key, without a kid as Globus Auth's.
func publicJWK(key *rsa.PrivateKey) object {
	return object{
		"kty": "RSA", "alg": "RS512", "use": "sig",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}

func keySet(tb testing.TB, keys ...object) []byte {
	tb.Helper()
	return encode(tb, object{"keys": keys})
}

// offlineConfig verifies with the first key and without a network.
func offlineConfig(tb testing.TB) idtoken.Config {
	tb.Helper()
	return idtoken.Config{
		ClientID: clientID,
		Now:      func() time.Time { return issued },
		Options:  idtoken.Options{JWKS: keySet(tb, publicJWK(keyOne()))},
	}
}

func newVerifier(tb testing.TB, config idtoken.Config) *idtoken.Verifier {
	tb.Helper()
	verifier, err := idtoken.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return verifier
}

// full is an expectation that every check takes part in.
func full() idtoken.Expect {
	return idtoken.Expect{Nonce: nonce, AccessToken: accessToken, MaxAge: time.Hour}
}

// exampleKeysAndToken stands for what a provider publishes and a login brings.
func exampleKeysAndToken() (keys []byte, raw string) {
	var tb testing.B
	claims := with(globusClaims(), object{"nonce": "the login's nonce", "locale": "en-GB"})
	return keySet(&tb, publicJWK(keyOne())), sign(&tb, keyOne(), globusHeader(), claims)
}

// pinned changes the JWK that a configuration pins.
func pinned(change object) func(*idtoken.Config) {
	return func(c *idtoken.Config) {
		var tb testing.B
		c.Options.JWKS = keySet(&tb, with(publicJWK(keyOne()), change))
	}
}
