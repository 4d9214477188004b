package pgstore

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Open is New with another length of the lease.
func Open(pool *pgxpool.Pool, config Config, lease time.Duration) (*Store, error) {
	return open(pool, config, lease)
}

var Explain = explain
