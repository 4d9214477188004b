// Package sqlitefile is the format of package sqlitestore: the SQLite token storage of
// the official Python SDK.
package sqlitefile

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
)

const (
	// maxTokens bounds what one namespace may hold, in bytes.
	maxTokens = 16 << 20

	// schema is that of the official Python SDK, version 2.
	schema = `
BEGIN IMMEDIATE;
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
    VALUES ('globus-sdk.version', 'globusauth-go'), ('globus-sdk.database_schema_version', '2');
COMMIT;`

	store = `REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?, ?, ?)`
	// storeLegacy adds the fields that readers of schema version 1 expect to be there.
	storeLegacy = `REPLACE INTO token_storage(namespace, resource_server, token_data_json)
		VALUES (?, ?, json_insert(?, '$.refresh_token', NULL, '$.token_type', NULL))`
)

// Backend is the format of the files.
type Backend struct{}

var _ place.Backend = Backend{}

// Load returns the tokens of a namespace.
func (Backend) Load(ctx context.Context, file place.File, namespace string) (raw jsontext.Value, err error) {
	err = use(ctx, file, func(d *database) error {
		raw, err = d.load(ctx, d.db, namespace)
		return err
	})
	return raw, err
}

// Namespaces returns those that hold tokens.
func (Backend) Namespaces(ctx context.Context, file place.File) (names []string, err error) {
	err = use(ctx, file, func(d *database) error {
		var list []byte
		if err := d.db.QueryRowContext(ctx, `SELECT json_group_array(DISTINCT namespace) FROM token_storage`).Scan(&list); err != nil {
			return err
		}
		return json.Unmarshal(list, &names, jsontext.AllowInvalidUTF8(true))
	})
	return names, err
}

// errRehearsed rolls back the transaction of a rehearsal.
var errRehearsed = errors.New("rehearsed")

// Rehearse creates the database, if it is missing, and rolls back a transaction that writes.
func (Backend) Rehearse(ctx context.Context, file place.File) error {
	err := write(ctx, file, func(_ *database, tx *sql.Tx) error {
		// An UPDATE to the same value would write no page, and make no journal.
		_, err := tx.ExecContext(ctx, store, "", "", "")
		return cmp.Or(err, errRehearsed)
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// Edit reads and writes the tokens in one transaction.
func (Backend) Edit(ctx context.Context, file place.File, namespace string, edit func(map[string]jsontext.Value) error) error {
	return write(ctx, file, func(d *database, tx *sql.Tx) error {
		raw, err := d.load(ctx, tx, namespace)
		if err != nil {
			return err
		}
		var rows map[string]jsontext.Value
		if err := json.Unmarshal(raw, &rows); err != nil {
			return err
		}
		before := maps.Clone(rows)
		if err := edit(rows); err != nil {
			return err
		}
		for server := range before {
			if _, kept := rows[server]; kept {
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM token_storage WHERE namespace = ? AND resource_server = ?`, namespace, server); err != nil {
				return err
			}
		}
		statement := store
		if d.legacy {
			statement = storeLegacy
		}
		for server, data := range rows {
			if bytes.Equal(data, before[server]) {
				continue
			}
			if _, err := tx.ExecContext(ctx, statement, namespace, server, string(data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete removes a namespace, whatever it holds.
func (Backend) Delete(ctx context.Context, file place.File, namespace string) error {
	return use(ctx, file, func(d *database) error {
		_, err := d.db.ExecContext(ctx, `DELETE FROM token_storage WHERE namespace = ?`, namespace)
		return err
	})
}

// database is an open file.
type database struct {
	db     *sql.DB
	file   place.File
	legacy bool // schema version 1
}

// connect opens a file that exists. The file is never opened in any other way in
// this process: closing it would drop SQLite's locks on it (POSIX fcntl).
func connect(file place.File, path string) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	query := url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(file.LockTimeout.Milliseconds(), 10) + ")",
			// FULL, and the directory too, which a commit by removing the journal changes.
			"synchronous(EXTRA)",
			// Tokens that are deleted are not left in free pages.
			"secure_delete(ON)",
		},
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: slashed, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// use opens the file after the checks for the time of one call. It does not call work if
// the file is missing or empty.
func use(ctx context.Context, file place.File, work func(*database) error) error {
	info, err := os.Lstat(file.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := file.Check(); err != nil {
		return err
	}
	if info.Size() == 0 {
		return nil
	}
	db, err := connect(file, file.Path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	d := &database{db: db, file: file}
	err = d.readVersion(ctx)
	if err == nil {
		err = work(d)
	}
	return d.translate(err)
}

func (d *database) readVersion(ctx context.Context) error {
	var version string
	err := d.db.QueryRowContext(ctx, `SELECT value FROM sdk_storage_adapter_internal
		WHERE attribute = 'globus-sdk.database_schema_version'`).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if version != "1" && version != "2" {
		return d.odd(fmt.Sprintf("its schema version is %q, not 1 or 2: update this program", version))
	}
	d.legacy = version == "1"
	return nil
}

func (d *database) odd(what string) error {
	return fmt.Errorf("%w: %s: %s", tokens.ErrUnreadable, d.file.Path, what)
}

// translate returns SQLite's errors as those of the store.
func (d *database) translate(err error) error {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch failure.Code() & 0xff { // without the extension of the code
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %s is damaged or not a database (%w)", tokens.ErrUnreadable, d.file.Path, err)
	case sqlite3.SQLITE_ERROR: // the statements are correct, so a table or column is missing
		return fmt.Errorf("%w: %s has no table of tokens (%w) (%w)", tokens.ErrUnreadable, d.file.Path, err, place.ErrForeign)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %s (%w): let the program that writes to it finish, or end it", tokens.ErrLocked, d.file.Path, err)
	}
	return fmt.Errorf("%s: %w", d.file.Path, err)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// load returns the tokens of a namespace as one object. A row that is not valid JSON is null.
func (d *database) load(ctx context.Context, from querier, namespace string) (raw jsontext.Value, err error) {
	err = from.QueryRowContext(ctx, `SELECT json_group_object(resource_server,
			CASE WHEN json_valid(token_data_json) THEN json(token_data_json) END)
		FROM token_storage WHERE namespace = ? HAVING total(length(token_data_json)) <= ?`, namespace, maxTokens).Scan((*[]byte)(&raw))
	if errors.Is(err, sql.ErrNoRows) {
		err = d.odd(fmt.Sprintf("namespace %q holds more than %d MiB, which no login does", namespace, maxTokens>>20))
	}
	return raw, err
}

// write does work in a transaction of a database that it creates if it is missing. The
// error is [fs.ErrNotExist] if another program removed or replaced the file.
func write(ctx context.Context, file place.File, work func(*database, *sql.Tx) error) error {
	if err := create(ctx, file); err != nil {
		return err
	}
	opened, err := os.Lstat(file.Path)
	if err != nil {
		return err
	}
	err = use(ctx, file, func(d *database) error {
		tx, err := d.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after Commit
		if err := work(d, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
	if err != nil {
		return err
	}
	if now, err := os.Lstat(file.Path); err != nil || now.Size() == 0 || !os.SameFile(now, opened) {
		return fmt.Errorf("%s was removed by another program: %w", file.Path, fs.ErrNotExist)
	}
	return nil
}

// create creates the database with its tables at once: the Python SDK creates no tables
// in a file that exists.
func create(ctx context.Context, file place.File) error {
	info, err := os.Lstat(file.Path)
	if err == nil && info.Size() > 0 {
		return nil
	}
	if err == nil {
		return initialize(ctx, file, file.Path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh, err := file.Temp(0)
	if err != nil {
		return err
	}
	defer fresh.Remove()
	fresh.Close() // closing it later would drop SQLite's locks on it
	// SQLite would play a journal without its database into the new one.
	if err := os.Remove(file.Path + "-journal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := initialize(ctx, file, fresh.Name()); err != nil {
		return err
	}
	// A link replaces nothing: another process may have been faster.
	if err := os.Link(fresh.Name(), file.Path); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return fresh.Move() // the file system has no links
}

func initialize(ctx context.Context, file place.File, path string) error {
	db, err := connect(file, path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, schema)
	return (&database{file: file}).translate(err)
}
