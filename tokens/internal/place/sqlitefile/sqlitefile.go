// Package sqlitefile is the format of package sqlitestore: the SQLite token storage of
// the official Python SDK.
package sqlitefile

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
)

const (
	// maxTokens bounds what one namespace may hold, in bytes.
	maxTokens = 16 << 20

	// schema is that of the official Python SDK, version 2.
	schema = `
CREATE TABLE IF NOT EXISTS token_storage (
    namespace VARCHAR NOT NULL,
    resource_server VARCHAR NOT NULL,
    token_data_json VARCHAR NOT NULL,
    PRIMARY KEY (namespace, resource_server)
);
CREATE TABLE IF NOT EXISTS sdk_storage_adapter_internal (
    attribute VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY (attribute)
);
INSERT OR IGNORE INTO sdk_storage_adapter_internal(attribute, value)
    VALUES ('globus-sdk.version', 'globusauth-go'), ('globus-sdk.database_schema_version', '2');`
)

// Backend is the format of the files.
type Backend struct {
	Busy time.Duration // how long to wait for SQLite's locks
}

var _ place.Backend = (*Backend)(nil)

// Load returns the tokens of a namespace.
func (b *Backend) Load(ctx context.Context, path, namespace string) (tokens.Set, error) {
	db, err := b.open(ctx, path)
	if err != nil || db == nil {
		return tokens.Set{}, err
	}
	defer db.close()
	return db.load(ctx, namespace)
}

// Namespaces returns those that hold tokens.
func (b *Backend) Namespaces(ctx context.Context, path string) ([]string, error) {
	db, err := b.open(ctx, path)
	if err != nil || db == nil {
		return nil, err
	}
	defer db.close()
	return db.namespaces(ctx)
}

// errRehearsed ends a transaction that was for nothing.
var errRehearsed = errors.New("rehearsed")

// Rehearse makes the database if there is none, and begins a transaction that writes.
func (b *Backend) Rehearse(ctx context.Context, path string) error {
	err := b.write(ctx, path, func(tx *sql.Tx, _ *database) error {
		// An UPDATE to the same value would write no page, and make no journal.
		_, err := tx.ExecContext(ctx, `REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES ('', '', '')`)
		return cmp.Or(err, errRehearsed)
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// Store writes the differences between two sets.
func (b *Backend) Store(ctx context.Context, path, namespace string, before, after tokens.Set) error {
	data, err := after.MarshalStorage()
	if err != nil {
		return err
	}
	var written map[string]jsontext.Value
	if err := json.Unmarshal(data, &written); err != nil {
		return err
	}
	return b.write(ctx, path, func(tx *sql.Tx, d *database) error {
		for _, token := range before.All() {
			if _, kept := after.ByResourceServer(token.ResourceServer); kept {
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM token_storage WHERE namespace = ? AND resource_server = ?`,
				namespace, token.ResourceServer); err != nil {
				return err
			}
		}
		for _, token := range after.All() {
			if old, had := before.ByResourceServer(token.ResourceServer); had && old == token {
				continue
			}
			if err := d.replace(ctx, tx, namespace, token.ResourceServer, written[token.ResourceServer]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete removes a namespace, whatever it holds.
func (b *Backend) Delete(ctx context.Context, path, namespace string) error {
	db, err := b.open(ctx, path)
	if err != nil || db == nil {
		return err
	}
	defer db.close()
	return db.inTransaction(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM token_storage WHERE namespace = ?`, namespace)
		return err
	})
}

// write does work in a transaction of the database that has the name at its end:
// one that was removed or replaced meanwhile is as good as not written.
func (b *Backend) write(ctx context.Context, path string, work func(*sql.Tx, *database) error) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := b.writeOnce(ctx, path, work)
		if !errors.Is(err, fs.ErrNotExist) || attempt == attempts {
			return err
		}
	}
}

func (b *Backend) writeOnce(ctx context.Context, path string, work func(*sql.Tx, *database) error) error {
	if err := b.create(ctx, path); err != nil {
		return err
	}
	opened, err := os.Lstat(path)
	if err != nil {
		return err
	}
	db, err := b.open(ctx, path)
	if err != nil {
		return err
	}
	gone := fmt.Errorf("%s was removed by another program: %w", path, fs.ErrNotExist)
	if db == nil {
		return gone
	}
	defer db.close()
	if err := db.inTransaction(ctx, func(tx *sql.Tx) error { return work(tx, db) }); err != nil {
		return err
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(now, opened) {
		return gone
	}
	return nil
}
