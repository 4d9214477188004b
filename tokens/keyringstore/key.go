package keyringstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
)

// ring is a keyring.
type ring interface {
	Set(service, user, secret string) error
	Get(service, user string) (string, error)
}

// system is the keyring of the operating system.
type system struct{}

func (system) Set(service, user, secret string) error   { return keyring.Set(service, user, secret) }
func (system) Get(service, user string) (string, error) { return keyring.Get(service, user) }

const (
	user    = "key" // of the item of a file
	keySize = 32    // AES-256
)

// sealer seals each file with a key of its own, which is in the keyring: the lock of the
// file lets one process at a time create it.
type sealer struct{ ring ring }

var _ files.Sealer = sealer{}

func service(path string) string { return "globusauth " + path }

// Seal creates the key if there is none.
func (s sealer) Seal(path string, content []byte) ([]byte, error) {
	key, err := s.ring.Get(service(path), user)
	if errors.Is(err, keyring.ErrNotFound) {
		fresh := make([]byte, keySize)
		_, _ = rand.Read(fresh) // never fails
		key = base64.StdEncoding.EncodeToString(fresh)
		err = s.ring.Set(service(path), user, key)
	}
	if err != nil {
		return nil, unusable(err)
	}
	aead, err := newAEAD(path, key)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, aead.Seal(nil, nil, content, nil)), nil //nolint:gosec // it takes a random nonce itself
}

// Open opens what Seal made.
func (s sealer) Open(path string, sealed []byte) ([]byte, error) {
	key, err := s.ring.Get(service(path), user)
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return nil, fmt.Errorf("%w: the keyring does not have the key of %s", tokens.ErrUnreadable, path)
	case err != nil:
		return nil, unusable(err)
	}
	aead, err := newAEAD(path, key)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.AppendDecode(nil, sealed)
	if err == nil {
		data, err = aead.Open(nil, nil, data, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s is damaged, or sealed with another key than that of the keyring", tokens.ErrUnreadable, path)
	}
	return data, nil
}

func newAEAD(path, text string) (cipher.AEAD, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%w: the item of %s in the keyring is not a key: remove it", tokens.ErrUnreadable, path)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func unusable(err error) error {
	return fmt.Errorf("the keyring cannot be used: %w: unlock it, or choose another store", err)
}
