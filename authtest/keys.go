package authtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/globusauth/globusauth/internal/server"
)

// testKeyPEM is the key that every server starts with. It is public, so a
// signature with it proves nothing.
//
//go:embed testkey.pem
var testKeyPEM []byte

// testKey is parsed once per process.
var testKey = sync.OnceValues(func() (*signingKey, error) { return parseKey(testKeyPEM) })

const (
	keyBits  = 2048
	keysKept = 2 // the current one and the one before
)

// signingKey signs ID tokens. It is never changed.
type signingKey struct {
	keyState
	private *rsa.PrivateKey
}

// keyring has the key that signs first, then the one before.
type keyring []*signingKey

func parseKey(text []byte) (*signingKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("authtest: signing key: no PEM block found")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("authtest: signing key: %w", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("authtest: signing key: %T is not an RSA key", parsed)
	}
	return &signingKey{keyState{PEM: string(text)}, private}, nil
}

func (k *signingKey) document() server.JSONWebKey {
	encode := base64.RawURLEncoding.EncodeToString
	public := k.private.PublicKey
	return server.JSONWebKey{
		Alg: "RS512", Exponent: encode(big.NewInt(int64(public.E)).Bytes()), Kty: "RSA", Modulus: encode(public.N.Bytes()),
		Use: "sig", Kid: k.ID,
	}
}

// RotateKeys makes a new key that signs from now on. The one before stays
// published, behind it. Making a key takes a while.
func (s *Server) RotateKeys() error {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fmt.Errorf("authtest: rotate keys: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("authtest: rotate keys: %w", err)
	}
	key := &signingKey{keyState{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}, private}
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.config.KeyIDs {
		key.ID = e.random.uuid()
	}
	e.keys = append(keyring{key}, e.keys[:min(len(e.keys), keysKept-1)]...)
	e.changed()
	return nil
}

// GetJWKS publishes the keys that sign ID tokens.
func (a api) GetJWKS(context.Context, server.GetJWKSRequestObject) (server.GetJWKSResponseObject, error) {
	return server.JSONWebKeySet{Keys: documents(slices.Values(a.keys), nil, (*signingKey).document)}, nil
}
