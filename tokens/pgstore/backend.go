package pgstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

// mode sends a statement and its values in one message each time. Prepared
// statements do not work with every PgBouncer.
const mode = pgx.QueryExecModeExec

// database sends statements about one table.
type database struct {
	pool  *pgxpool.Pool
	table string
}

// one reads the data of at most one row.
func (d database) one(ctx context.Context, statement string, values ...any) (data []byte, found bool, err error) {
	err = d.pool.QueryRow(ctx, statement, append([]any{mode}, values...)...).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, explain(err, d.table)
}

// backend has the statements of [lease.Backend]. All times are the server's.
type backend struct {
	database
	load, acquire, extend, save, erase, drop, list string
}

var _ lease.Backend = (*backend)(nil)

func newBackend(pool *pgxpool.Pool, table string) *backend {
	b := &backend{database: database{pool, table}}
	for statement, text := range map[*string]string{
		&b.load: `SELECT data FROM TABLE WHERE KEY`,
		&b.acquire: `
			WITH taken AS (
				UPDATE TABLE SET version = $5, held_until = clock_timestamp() + make_interval(secs => $6)
				WHERE KEY AND (held_until <= now() OR version = $5)
				RETURNING data
			), created AS (
				INSERT INTO TABLE (client_id, environment, address, namespace, version, held_until)
				SELECT $1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6)
				WHERE NOT EXISTS (SELECT FROM TABLE WHERE KEY)
				ON CONFLICT DO NOTHING
				RETURNING data
			)
			SELECT data FROM taken UNION ALL SELECT data FROM created`,
		&b.extend: `
			UPDATE TABLE SET held_until = clock_timestamp() + make_interval(secs => $6)
			WHERE KEY AND version = $5 AND held_until > '-infinity'`,
		// The setting makes this one change durable where the database does not by default.
		&b.save: `
			UPDATE TABLE SET data = $6, held_until = '-infinity' WHERE KEY AND version = $5
			RETURNING set_config('synchronous_commit', CASE current_setting('synchronous_commit')
				WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`,
		&b.erase: `
			DELETE FROM TABLE WHERE KEY AND version = $5
			RETURNING set_config('synchronous_commit', CASE current_setting('synchronous_commit')
				WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`,
		&b.drop: `
			WITH created AS (DELETE FROM TABLE WHERE KEY AND version = $5 AND data IS NULL)
			UPDATE TABLE SET held_until = '-infinity' WHERE KEY AND version = $5 AND data IS NOT NULL`,
		&b.list: `SELECT client_id, environment, address, namespace FROM TABLE WHERE data IS NOT NULL`,
	} {
		text = strings.ReplaceAll(text, "KEY", "client_id = $1 AND environment = $2 AND address = $3 AND namespace = $4")
		*statement = strings.ReplaceAll(text, "TABLE", table)
	}
	return b
}

// at sends a statement about a key.
func (b *backend) at(ctx context.Context, statement string, key tokens.Key, more ...any) (data []byte, found bool, err error) {
	return b.one(ctx, statement, append([]any{key.ClientID, key.Environment, key.Address, key.Namespace}, more...)...)
}

func (b *backend) Load(ctx context.Context, key tokens.Key) ([]byte, error) {
	data, _, err := b.at(ctx, b.load, key)
	return data, err
}

func (b *backend) Acquire(ctx context.Context, key tokens.Key, version string, lease time.Duration) ([]byte, bool, error) {
	return b.at(ctx, b.acquire, key, version, lease.Seconds())
}

func (b *backend) Extend(ctx context.Context, key tokens.Key, version string, lease time.Duration) error {
	_, _, err := b.at(ctx, b.extend, key, version, lease.Seconds())
	return err
}

func (b *backend) Commit(ctx context.Context, key tokens.Key, version string, data []byte) (stored bool, err error) {
	if data == nil {
		_, stored, err = b.at(ctx, b.erase, key, version)
	} else {
		_, stored, err = b.at(ctx, b.save, key, version, data)
	}
	return stored, err
}

func (b *backend) Release(ctx context.Context, key tokens.Key, version string) error {
	_, _, err := b.at(ctx, b.drop, key, version)
	return err
}

func (b *backend) Keys(ctx context.Context) ([]tokens.Key, error) {
	rows, err := b.pool.Query(ctx, b.list, mode)
	if err != nil {
		return nil, explain(err, b.table)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[tokens.Key])
	return keys, explain(err, b.table)
}

func (b *backend) Permanent(err error) bool { return permanent(err) }
