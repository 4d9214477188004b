package sealed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// SessionStore keeps web sessions: the interface Sessions of package login, which
// this package does not import.
type SessionStore interface {
	Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error)
	Get(ctx context.Context, key string) ([]byte, error)
	Take(ctx context.Context, key string) ([]byte, error)
}

// Sessions seal the web sessions that another store keeps. They are safe for
// concurrent use.
type Sessions struct {
	store SessionStore
	aead  tink.AEAD
}

// NewSessions returns sealed sessions, for Sessions of login.WebConfig.
func NewSessions(store SessionStore, aead tink.AEAD) (*Sessions, error) {
	if store == nil || aead == nil {
		return nil, errors.New("sealed: new sessions: the store and the AEAD are required")
	}
	return &Sessions{store, aead}, nil
}

// Format writes no key, whatever the verb.
func (s *Sessions) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "sealed %T", s.store) }

// Add stores data under key until expiry, unless something is stored there already.
func (s *Sessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (bool, error) {
	sealed, err := s.aead.Encrypt(data, sessionContext(key))
	if err != nil {
		return false, fmt.Errorf("sealed: add session: it cannot be sealed: %w", err)
	}
	return s.store.Add(ctx, key, sealed, expiry)
}

// Get returns what is stored under key; nil if nothing is, or it has expired.
func (s *Sessions) Get(ctx context.Context, key string) ([]byte, error) {
	sealed, err := s.store.Get(ctx, key)
	return s.open(key, sealed, err)
}

// Take is Get, and removes what it returns, also what cannot be opened.
func (s *Sessions) Take(ctx context.Context, key string) ([]byte, error) {
	sealed, err := s.store.Take(ctx, key)
	return s.open(key, sealed, err)
}

func (s *Sessions) open(key string, sealed []byte, err error) ([]byte, error) {
	if err != nil || sealed == nil {
		return nil, err
	}
	data, err := s.aead.Decrypt(sealed, sessionContext(key))
	if err != nil {
		return nil, errors.New("sealed: a stored session cannot be opened: the keyset lacks the key that sealed it, or it was changed or moved: " +
			"add that key to the keyset until the sessions have expired")
	}
	return append([]byte{}, data...), nil // not nil
}

func sessionContext(key string) []byte { return []byte("globusauth session\x00" + key) }
