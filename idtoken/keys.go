package idtoken

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // SHA-256 for at_hash
	_ "crypto/sha512" // SHA-384 and SHA-512 for at_hash
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	maxKeys    = 32 // A token without kid is tried with each of them.
	minRSABits = 2048
	maxRSABits = 8192
)

// algorithm is a signature algorithm that may be used. Its verifier is stateless.
type algorithm struct {
	name     jwa.SignatureAlgorithm
	hash     crypto.Hash // of at_hash
	verifier jws.Verifier
}

// safeAlgorithms returns the algorithms that may be used, by name: asymmetric ones
// only, so that a public key can never be taken for a shared secret.
func safeAlgorithms() (map[string]*algorithm, error) {
	safe := map[string]*algorithm{}
	for hash, names := range map[crypto.Hash][]jwa.SignatureAlgorithm{
		crypto.SHA256: {jwa.RS256, jwa.PS256, jwa.ES256},
		crypto.SHA384: {jwa.RS384, jwa.PS384, jwa.ES384},
		crypto.SHA512: {jwa.RS512, jwa.PS512, jwa.ES512, jwa.EdDSA}, // EdDSA on the curve Ed25519
	} {
		for _, name := range names {
			verifier, err := jws.NewVerifier(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			safe[name.String()] = &algorithm{name, hash, verifier}
		}
	}
	return safe, nil
}

// publicKey is one key that signatures may be verified with.
type publicKey struct {
	id         string // empty: any
	algorithms []jwa.SignatureAlgorithm
	raw        any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// parseKeys reads a JWK set, a JWK, or PEM. It skips keys that cannot be parsed, are not
// for signatures, or are of an unknown kind, weak, secret or private. A set without a
// usable key is an error, and so is one with a duplicate name.
func parseKeys(text []byte) ([]publicKey, error) {
	pem := bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN "))
	set, err := jwk.Parse(text, jwk.WithPEM(pem), jwk.WithIgnoreParseError(true))
	if err != nil || !pem && !jsontext.Value(text).IsValid() {
		return nil, errors.New("not a JWK set, nor public keys or certificates in PEM")
	}
	var keys []publicKey
	for i := range set.Len() {
		if parsed, ok := set.Key(i); ok {
			if key, ok := usableKey(parsed); ok {
				keys = append(keys, key)
			}
		}
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("none of the %d keys can verify signatures", set.Len())
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%d keys, more than the limit of %d", len(keys), maxKeys)
	}
	return keys, nil
}

func usableKey(parsed jwk.Key) (key publicKey, ok bool) {
	if use := parsed.KeyUsage(); use != "" && use != string(jwk.ForSignature) {
		return key, false
	}
	if operations := parsed.KeyOps(); len(operations) > 0 && !slices.Contains(operations, jwk.KeyOpVerify) {
		return key, false
	}
	key.id = parsed.KeyID()
	if parsed.Raw(&key.raw) != nil {
		return key, false
	}
	switch raw := key.raw.(type) {
	case *rsa.PublicKey:
		ok = raw.N.BitLen() >= minRSABits && raw.N.BitLen() <= maxRSABits
		key.algorithms = []jwa.SignatureAlgorithm{jwa.RS256, jwa.RS384, jwa.RS512, jwa.PS256, jwa.PS384, jwa.PS512}
	case *ecdsa.PublicKey:
		_, err := raw.ECDH() // reports a point that is not on the curve
		curves := map[int]jwa.SignatureAlgorithm{256: jwa.ES256, 384: jwa.ES384, 521: jwa.ES512}
		name, known := curves[raw.Params().BitSize]
		ok = err == nil && known
		key.algorithms = []jwa.SignatureAlgorithm{name}
	case ed25519.PublicKey:
		ok = len(raw) == ed25519.PublicKeySize
		key.algorithms = []jwa.SignatureAlgorithm{jwa.EdDSA}
	}
	if stated := parsed.Algorithm(); stated != nil && stated.String() != "" {
		key.algorithms = slices.DeleteFunc(key.algorithms, func(a jwa.SignatureAlgorithm) bool { return a.String() != stated.String() })
	}
	return key, ok
}

// verify tries the keys that fit the token in turn. A key without an ID fits any
// token, and a token without an ID any key: Globus Auth uses no key IDs.
func (k *keySet) verify(token *compactToken) error {
	chosen, id := token.algorithm, token.header.KeyID
	tried := 0
	for _, key := range k.keys {
		if !slices.Contains(key.algorithms, chosen.name) || (key.id != "" && id != "" && key.id != id) {
			continue
		}
		tried++
		if chosen.verifier.Verify(token.signed, token.signature, key.raw) == nil {
			return nil
		}
	}
	if tried == 0 {
		return refuse("signature", "no key of the provider's %d fits algorithm %s and key ID %.100q", len(k.keys), chosen.name, id)
	}
	return refuse("signature", "no key of the provider verifies the signature (%d tried); the token was changed or is from another issuer", tried)
}
