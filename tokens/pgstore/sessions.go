package pgstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

// Sessions are the sessions of a web portal, for Sessions of login.WebConfig: a login that is
// started on one replica ends on another. They are safe for concurrent use.
// Sessions expire by the clock of the database.
type Sessions struct {
	database
	add, get, take string
}

// NewSessions returns the sessions in a database. The caller closes the pool.
// NewSessions sends nothing.
func NewSessions(pool *pgxpool.Pool, config Config) (_ *Sessions, err error) {
	defer prefix.Add(&err, "pgstore: new sessions")
	_, table, _, err := config.names()
	if err == nil && pool == nil {
		err = errors.New("the pool is nil")
	}
	if err != nil {
		return nil, err
	}
	s := &Sessions{database: database{pool, table}}
	for statement, text := range map[*string]string{
		// Each Add removes two expired entries, so that the table stays as large as its live ones.
		&s.add: `
			WITH expired AS (
				DELETE FROM TABLE WHERE key IN (
					SELECT key FROM TABLE WHERE expiry <= now() AND key <> $1 ORDER BY expiry LIMIT 2 FOR UPDATE SKIP LOCKED)
			)
			INSERT INTO TABLE AS stored (key, data, expiry) VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET data = excluded.data, expiry = excluded.expiry WHERE stored.expiry <= now()
			RETURNING data`,
		&s.get:  `SELECT data FROM TABLE WHERE key = $1 AND expiry > now()`,
		&s.take: `DELETE FROM TABLE WHERE key = $1 AND expiry > now() RETURNING data`,
	} {
		*statement = strings.ReplaceAll(text, "TABLE", table)
	}
	return s, nil
}

// Add stores data under key until expiry, unless something is stored there already.
// After an error it may be stored.
func (s *Sessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error) {
	defer prefix.Add(&err, "pgstore: add session")
	_, added, err = s.send(ctx, s.add, key, append([]byte{}, data...), expiry)
	return added, err
}

// Get returns what is stored under key; nil if nothing is, or it has expired.
func (s *Sessions) Get(ctx context.Context, key string) (data []byte, err error) {
	defer prefix.Add(&err, "pgstore: get session")
	data, _, err = s.send(ctx, s.get, key)
	return data, err
}

// Take is Get, and removes what it returns. After an error it may be removed.
func (s *Sessions) Take(ctx context.Context, key string) (data []byte, err error) {
	defer prefix.Add(&err, "pgstore: take session")
	data, _, err = s.send(ctx, s.take, key)
	return data, err
}

// send sends a statement, again only if it did not arrive.
func (s *Sessions) send(ctx context.Context, statement string, values ...any) (data []byte, found bool, err error) {
	const attempts = 3
	for range attempts {
		err = lease.Attempt(ctx, 0, func(ctx context.Context) (err error) {
			data, found, err = s.one(ctx, statement, values...)
			return err
		})
		if !pgconn.SafeToRetry(err) {
			break
		}
	}
	return data, found, err
}
