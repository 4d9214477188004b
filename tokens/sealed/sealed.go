// Package sealed encrypts what a store of tokens or web sessions keeps, so that
// those who can read the database, its backups or its network cannot use it.
//
// The key is an AEAD of Tink, such as a keyset from a file or one that a key management service
// has decrypted. Each entry is bound to its key in the store: one that is changed, or
// moved to another login, is not opened. What stays readable is which client and
// namespace has a login, and how large it is.
//
// # Changing the key
//
// Tink keysets hold several keys: the primary one seals, all open. So a key is changed
// without a stop: add the new key to the keyset of all programs, then make it the
// primary one everywhere, call [Store.SealAll], and remove the old key. Begin each step
// when the updates that run with the keyset of the step before have ended. Sessions
// are not sealed again: remove the old key when they have expired.
//
// [Store.SealAll] also seals what a store held before.
package sealed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/globusauth/globusauth/tokens"
)

// Config says what is sealed. Store and AEAD are required.
type Config struct {
	// Store keeps the sealed tokens.
	Store tokens.Store
	// AEAD seals and opens. It must not send a request, as an envelope AEAD of a key management
	// service does: it takes no context, and is used while an update holds its lock, also for
	// tokens that were received and are not yet stored. Let the service decrypt a keyset
	// once instead, when the program starts: keyset.ReadWithContext of Tink.
	AEAD tink.AEAD
	// GiveUpSharing allows a Store whose files the official Python SDK can read, of which it
	// can use nothing then. Without it, New refuses such a Store.
	GiveUpSharing bool
}

// Store is a [tokens.Store] that seals what another keeps, with the same promises. It
// is safe for concurrent use. An entry that a working key does not open is [tokens.ErrUnreadable],
// and is never overwritten; Delete removes it.
type Store struct {
	store tokens.Store
	aead  tink.AEAD
}

var _ tokens.Store = (*Store)(nil)

// sealedServer is the resource server of the one token that holds a sealed set.
const sealedServer = "sealed.globusauth"

// New checks the configuration. It does not use the store.
func New(config Config) (*Store, error) {
	switch {
	case config.Store == nil || config.AEAD == nil:
		return nil, errors.New("sealed: new: Store and AEAD are required")
	case sharedWithPython(config.Store) && !config.GiveUpSharing:
		return nil, errors.New("sealed: new: Python programs share the files of this Store, and cannot read sealed tokens: " +
			"use another store, or set GiveUpSharing and files of its own (AppName or Path)")
	}
	return &Store{config.Store, config.AEAD}, nil
}

// sharedWithPython reports stores in files of the official SDK's format: filestore and sqlitestore.
func sharedWithPython(store tokens.Store) bool {
	_, inFiles := store.(interface {
		Path(key tokens.Key) (string, error)
	})
	return inFiles
}

// Format writes no key, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "sealed %T", s.store) }

// Load returns what is stored under key. See [tokens.Store].
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	raw, err := s.store.Load(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	set, err := s.open(key, raw)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("sealed: load: %w", err)
	}
	return set, nil
}

// Update replaces what is stored under key by what fn makes of it. See [tokens.Store].
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (next tokens.Set, err error) {
	_, err = s.store.Update(ctx, key, func(raw tokens.Set) (tokens.Set, error) {
		current, err := s.open(key, raw)
		if err != nil {
			return tokens.Set{}, err
		}
		if err := s.usable(); err != nil { // what fn receives would be lost
			return tokens.Set{}, err
		}
		made, err := fn(current)
		if err != nil {
			return tokens.Set{}, err
		}
		if next = made; next.Equal(current) {
			return raw, nil
		}
		return s.seal(key, next)
	})
	return next, err
}

// Delete removes what is stored under key, also what cannot be opened. See [tokens.Store].
func (s *Store) Delete(ctx context.Context, key tokens.Key) error { return s.store.Delete(ctx, key) }

// Keys returns the keys under which something is stored. See [tokens.Store].
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) { return s.store.Keys(ctx) }

// SealAll seals all that is stored again, with the primary key of the keyset. It
// is the only function that accepts what is not sealed: call it once where a
// store is to be sealed from now on, while no program uses the store without the key. After
// an error, which names what could not be opened, it has sealed the rest.
func (s *Store) SealAll(ctx context.Context) error {
	keys, err := s.Keys(ctx)
	problems := []error{err}
	for _, key := range keys {
		_, err := s.store.Update(ctx, key, func(raw tokens.Set) (tokens.Set, error) {
			if _, sealed := raw.ByResourceServer(sealedServer); !sealed {
				return s.seal(key, raw)
			}
			current, err := s.open(key, raw)
			if err != nil {
				return tokens.Set{}, err
			}
			return s.seal(key, current)
		})
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (s *Store) seal(key tokens.Key, set tokens.Set) (tokens.Set, error) {
	if set.Equal(tokens.Set{}) {
		return tokens.Set{}, nil
	}
	place, err := associated(key)
	if err != nil {
		return tokens.Set{}, err
	}
	data, err := set.MarshalStorage()
	if err != nil {
		return tokens.Set{}, err
	}
	sealed, err := s.aead.Encrypt(data, place)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("the tokens cannot be sealed: %w", err)
	}
	return tokens.NewSet(tokens.Token{ResourceServer: sealedServer, AccessToken: base64.StdEncoding.EncodeToString(sealed)})
}

// usable reports whether the key works.
func (s *Store) usable() error {
	sealed, err := s.aead.Encrypt(nil, nil)
	if err == nil {
		_, err = s.aead.Decrypt(sealed, nil)
	}
	if err != nil {
		return fmt.Errorf("the key that seals the tokens cannot be used; the tokens are unchanged: %w", err)
	}
	return nil
}

func (s *Store) open(key tokens.Key, raw tokens.Set) (tokens.Set, error) {
	if raw.Equal(tokens.Set{}) {
		return tokens.Set{}, nil
	}
	token, found := raw.ByResourceServer(sealedServer)
	place, err := associated(key)
	switch {
	case err != nil:
		return tokens.Set{}, err
	case !found:
		return tokens.Set{}, unreadable(key, "are not sealed: call SealAll once")
	case len(raw.All()) > 1:
		return tokens.Set{}, unreadable(key, "have others beside them that are not sealed, by a program without the key: log out, and log in again")
	}
	sealed, err := base64.StdEncoding.DecodeString(token.AccessToken)
	if err != nil {
		return tokens.Set{}, unreadable(key, "are damaged")
	}
	data, err := s.aead.Decrypt(sealed, place)
	if err != nil {
		// Tink does not tell an entry that is not of this key from a key that fails.
		if err := s.usable(); err != nil {
			return tokens.Set{}, err
		}
		return tokens.Set{}, unreadable(key, "cannot be opened: the keyset lacks the key that sealed them, or they were changed or moved: "+
			"add that key to the keyset; without it, log out, and log in again")
	}
	return tokens.UnmarshalStorage(data)
}

func unreadable(key tokens.Key, problem string) error {
	return fmt.Errorf("%w: those of client %s in %s, namespace %q, %s", tokens.ErrUnreadable, key.ClientID, key.Environment, key.Namespace, problem)
}

// associated returns what binds a sealed set to its place. No part of a key holds a NUL.
func associated(key tokens.Key) ([]byte, error) {
	key, err := key.Normal()
	return []byte(strings.Join([]string{"globusauth tokens", key.ClientID, key.Environment, key.Address, key.Namespace}, "\x00")), err
}
