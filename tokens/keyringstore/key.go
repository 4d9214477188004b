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

// ring is a keyring. It seals each file with a key of its own: the lock of the
// file lets one process at a time create it.
type ring struct {
	get func(service, user string) (string, error)
	set func(service, user, secret string) error
}

var _ files.Sealer = ring{}

const keySize = 32 // AES-256

// Seal creates the key if there is none.
func (r ring) Seal(path string, content []byte) ([]byte, error) {
	aead, err := r.aead(path, true)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, aead.Seal(nil, nil, content, nil)), nil //nolint:gosec // it takes a random nonce itself
}

// Open opens what Seal made.
func (r ring) Open(path string, sealed []byte) ([]byte, error) {
	aead, err := r.aead(path, false)
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

// aead returns the cipher of a file.
func (r ring) aead(path string, create bool) (cipher.AEAD, error) {
	service, user := "globusauth "+path, "key"
	text, err := r.get(service, user)
	switch {
	case errors.Is(err, keyring.ErrNotFound) && create:
		fresh := make([]byte, keySize)
		_, _ = rand.Read(fresh) // never fails
		text = base64.StdEncoding.EncodeToString(fresh)
		err = r.set(service, user, text)
	case errors.Is(err, keyring.ErrNotFound):
		return nil, fmt.Errorf("%w: the keyring does not have the key of %s", tokens.ErrUnreadable, path)
	}
	if err != nil {
		return nil, fmt.Errorf("the keyring cannot be used: %w: unlock it, or choose another store", err)
	}
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
