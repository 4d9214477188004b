package pgstore

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Open is New with another length of the lease and limit of a statement.
func Open(pool *pgxpool.Pool, config Config, lease, timeout time.Duration) (*Store, error) {
	return open(pool, config, lease, timeout)
}

var Explain = explain

// Statements returns those that read and write one key or session.
func Statements(store *Store, sessions *Sessions) []string {
	b := store.backend
	return []string{b.load, b.acquire, b.extend, b.save, b.erase, b.drop, sessions.add, sessions.get, sessions.take}
}
