package pgstore

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/internal/prefix"
)

// schema is safe to run again. The key's columns are compared byte by byte.
const schema = `CREATE TABLE IF NOT EXISTS TOKENS (
	client_id   text COLLATE "C" NOT NULL,
	environment text COLLATE "C" NOT NULL,
	address     text COLLATE "C" NOT NULL,
	namespace   text COLLATE "C" NOT NULL,
	data        bytea,                -- NULL where nothing is stored and an update runs
	version     text NOT NULL,        -- set by each update
	held_until  timestamptz NOT NULL, -- while an update runs
	PRIMARY KEY (client_id, environment, address, namespace)
);
CREATE TABLE IF NOT EXISTS SESSIONS (
	key    text COLLATE "C" PRIMARY KEY,
	data   bytea NOT NULL,
	expiry timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS EXPIRY ON SESSIONS (expiry);
`

// Schema returns the statements that create the tables, for an administrator or a
// migration tool. They can be run again.
func Schema(config Config) (statements string, err error) {
	defer prefix.Add(&err, "pgstore: schema")
	tokens, sessions, expiry, err := config.names()
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("TOKENS", tokens, "SESSIONS", sessions, "EXPIRY", expiry).Replace(schema), nil
}

// Migrate creates the tables that [Store] and [Sessions] need. It changes
// nothing where they exist, and needs no right to create tables then. Several
// processes can call it at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool, config Config) (err error) {
	defer prefix.Add(&err, "pgstore: migrate")
	statements, err := Schema(config)
	if err != nil {
		return err
	}
	tokens, sessions, _, _ := config.names()
	var exist bool
	err = pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL`, mode, tokens, sessions).Scan(&exist)
	if err == nil && !exist {
		// Statements sent together are one transaction. Without the lock, two
		// processes can fail on the same new name.
		_, err = pool.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('globusauth migrate'));`+statements)
	}
	return explain(err, tokens)
}
