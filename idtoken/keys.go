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

	"github.com/go-json-experiment/json"
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
	name      string
	hash      crypto.Hash
	curveBits int // of the elliptic curve, for ES256 and its like
	verifier  jws.Verifier
}

// safeAlgorithms lists the algorithms that this package knows: asymmetric ones only,
// so that a public key can never be taken for a shared secret.
func safeAlgorithms() []algorithm {
	return []algorithm{
		{name: "RS256", hash: crypto.SHA256},
		{name: "RS384", hash: crypto.SHA384},
		{name: "RS512", hash: crypto.SHA512},
		{name: "PS256", hash: crypto.SHA256},
		{name: "PS384", hash: crypto.SHA384},
		{name: "PS512", hash: crypto.SHA512},
		{name: "ES256", hash: crypto.SHA256, curveBits: 256},
		{name: "ES384", hash: crypto.SHA384, curveBits: 384},
		{name: "ES512", hash: crypto.SHA512, curveBits: 521},
		{name: "EdDSA", hash: crypto.SHA512}, // on the curve Ed25519
	}
}

// chooseAlgorithms gives the named algorithms, or all of them when none is named.
func chooseAlgorithms(names []string) ([]algorithm, error) {
	chosen := safeAlgorithms()
	for _, name := range names {
		if findAlgorithm(chosen, name) == nil {
			return nil, fmt.Errorf("%s is not one of the algorithms that can be allowed", quote(name))
		}
	}
	if len(names) > 0 {
		chosen = slices.DeleteFunc(chosen, func(a algorithm) bool { return !slices.Contains(names, a.name) })
	}
	for i := range chosen {
		verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(chosen[i].name))
		if err != nil {
			return nil, fmt.Errorf("algorithm %s: %w", chosen[i].name, err)
		}
		chosen[i].verifier = verifier
	}
	return chosen, nil
}

func findAlgorithm(algorithms []algorithm, name string) *algorithm {
	for i := range algorithms {
		if algorithms[i].name == name {
			return &algorithms[i]
		}
	}
	return nil
}

// publicKey is one key that signatures may be verified with. Empty members of the JWK
// (RFC 7517 section 4) match anything.
type publicKey struct {
	id, algorithm string
	raw           any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// fits reports whether the key can have made a signature with this algorithm.
func (k publicKey) fits(chosen *algorithm) bool {
	if k.algorithm != "" && k.algorithm != chosen.name {
		return false
	}
	switch raw := k.raw.(type) {
	case *rsa.PublicKey:
		return chosen.curveBits == 0 && chosen.name != "EdDSA"
	case *ecdsa.PublicKey:
		return chosen.curveBits == raw.Params().BitSize
	case ed25519.PublicKey:
		return chosen.name == "EdDSA"
	}
	return false
}

// parseKeySet reads a published JWK set. Keys that cannot be parsed, are not for
// signatures, or are of an unknown kind, weak, secret or private, are passed over;
// a set without a usable key is an error.
func parseKeySet(text []byte) ([]publicKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, errors.New("not a JWK set")
	}
	var keys []publicKey
	for _, member := range set.Keys {
		if key, ok := parseKey(member); ok {
			keys = append(keys, key)
		}
	}
	return boundKeys(keys, len(set.Keys))
}

func boundKeys(keys []publicKey, published int) ([]publicKey, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of the %d keys can verify signatures", published)
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, more than the limit of %d", len(keys), maxKeys)
	}
	return keys, nil
}

func parseKey(text jsontext.Value) (publicKey, bool) {
	if !text.IsValid() { // A member named twice has no certain meaning.
		return publicKey{}, false
	}
	parsed, err := jwk.ParseKey(text)
	if err != nil {
		return publicKey{}, false
	}
	return usableKey(parsed)
}

func usableKey(parsed jwk.Key) (publicKey, bool) {
	if use := parsed.KeyUsage(); use != "" && use != string(jwk.ForSignature) {
		return publicKey{}, false
	}
	if operations := parsed.KeyOps(); len(operations) > 0 && !slices.Contains(operations, jwk.KeyOpVerify) {
		return publicKey{}, false
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return publicKey{}, false
	}
	key := publicKey{id: parsed.KeyID(), raw: raw}
	if parsed.Algorithm() != nil {
		key.algorithm = parsed.Algorithm().String()
	}
	switch raw := raw.(type) {
	case *rsa.PublicKey:
		return key, raw.N.BitLen() >= minRSABits && raw.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey:
		_, err := raw.ECDH() // reports a point that is not on the curve
		return key, err == nil
	case ed25519.PublicKey:
		return key, len(raw) == ed25519.PublicKeySize
	}
	return publicKey{}, false
}

// parseGivenKeys reads keys that the caller supplies: a JWK set, one JWK, or PEM.
func parseGivenKeys(text []byte) ([]publicKey, error) {
	text = bytes.TrimSpace(text)
	if bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		set, err := jwk.Parse(text, jwk.WithPEM(true))
		if err != nil {
			return nil, errors.New("the PEM text holds something that is not a public key or certificate")
		}
		var keys []publicKey
		for i := range set.Len() {
			if parsed, ok := set.Key(i); ok {
				if key, ok := usableKey(parsed); ok {
					keys = append(keys, key)
				}
			}
		}
		return boundKeys(keys, set.Len())
	}
	if key, ok := parseKey(text); ok {
		return []publicKey{key}, nil
	}
	return parseKeySet(text)
}
