package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

// Config names the tables. The zero value is ready.
type Config struct {
	// Prefix begins the names of the tables: PREFIX_tokens and PREFIX_sessions. One
	// dot separates a schema from it; each is up to 40 bytes long. Empty means "globusauth".
	Prefix string
}

const (
	defaultPrefix = "globusauth"
	maxPrefix     = 40 // PostgreSQL cuts names at 63 bytes
)

// names returns the names of the tables and of an index, quoted. An index is in the schema of its table.
func (c Config) names() (tokens, sessions, expiry string, err error) {
	parts := strings.Split(cmp.Or(c.Prefix, defaultPrefix), ".")
	for _, part := range parts {
		if part == "" || len(part) > maxPrefix || strings.ContainsRune(part, 0) || len(parts) > 2 {
			return "", "", "", fmt.Errorf("the Prefix %q is invalid: it is NAME or SCHEMA.NAME, of up to %d bytes each", c.Prefix, maxPrefix)
		}
	}
	last := len(parts) - 1
	name := func(kind string) string {
		return pgx.Identifier(append(parts[:last:last], parts[last]+kind)).Sanitize()
	}
	return name("_tokens"), name("_sessions"), pgx.Identifier{parts[last] + "_sessions_expiry"}.Sanitize(), nil
}

// Store is a [tokens.Store] in PostgreSQL. It is safe for concurrent use. It holds
// nothing that must be closed.
type Store struct {
	shared  *lease.Store
	backend *backend
}

var _ tokens.Store = (*Store)(nil)

// New returns the store in a database, which may be used for other things too. The
// caller closes the pool. New sends nothing.
func New(pool *pgxpool.Pool, config Config) (*Store, error) {
	return open(pool, config, 0, 0)
}

func open(pool *pgxpool.Pool, config Config, length, timeout time.Duration) (_ *Store, err error) {
	defer prefix.Add(&err, "pgstore: new")
	table, _, _, err := config.names()
	if err == nil && pool == nil {
		err = errors.New("the pool is nil")
	}
	if err != nil {
		return nil, err
	}
	b := newBackend(pool, table)
	return &Store{lease.New(lease.Kind{Package: "pgstore", Backend: b, Lease: length, Timeout: timeout}), b}, nil
}

// Load returns what is stored under key. See [tokens.Store].
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	return s.shared.Load(ctx, key)
}

// Update replaces what is stored under key by what fn makes of it. See [tokens.Store].
// While fn runs, no connection is held.
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	return s.shared.Update(ctx, key, fn)
}

// Delete removes what is stored under key, also what cannot be read. See [tokens.Store].
func (s *Store) Delete(ctx context.Context, key tokens.Key) error { return s.shared.Delete(ctx, key) }

// Keys returns the keys under which something is stored. See [tokens.Store].
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) { return s.shared.Keys(ctx) }
