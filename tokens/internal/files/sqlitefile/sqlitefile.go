// Package sqlitefile is the format of package sqlitestore: the SQLite token storage of
// the official Python SDK.
package sqlitefile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/ncruces/go-sqlite3"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
)

const (
	// maxTokens bounds what one namespace may hold, in bytes: 16 MiB.
	maxTokens = "16777216"

	// schema is that of the official Python SDK, version 2.
	schema = careful + begin + `
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
    VALUES ('globus-sdk.version', 'globusauth-go'), ('globus-sdk.database_schema_version', '2');` + commit

	// careful is what a connection that commits begins with. The directory is flushed too,
	// which a commit by removing the journal changes. Deleted tokens are not left in free pages.
	careful = `PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;`
	begin   = `BEGIN IMMEDIATE;`
	commit  = `COMMIT;`

	store = `REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?, ?, ?)`
	// storeLegacy adds the fields that readers of schema version 1 expect to be there.
	storeLegacy = `REPLACE INTO token_storage(namespace, resource_server, token_data_json)
		VALUES (?, ?, json_insert(?, '$.refresh_token', NULL, '$.token_type', NULL))`
)

// Backend is the format of the files.
type Backend struct{}

var _ files.Backend = Backend{}

// Load returns the tokens of a namespace.
func (Backend) Load(ctx context.Context, file files.File, namespace string) (raw jsontext.Value, err error) {
	err = use(ctx, file, func(d *database) error {
		raw, err = d.load(namespace)
		return err
	})
	return raw, err
}

// Namespaces returns those that hold tokens.
func (Backend) Namespaces(ctx context.Context, file files.File) (names []string, err error) {
	err = use(ctx, file, func(d *database) error {
		list, _, err := d.query(`SELECT json_group_array(DISTINCT namespace) FROM token_storage`)
		if err != nil {
			return err
		}
		return json.Unmarshal(list, &names, jsontext.AllowInvalidUTF8(true))
	})
	return names, err
}

// Rehearse creates the database, if it is missing, and rolls back a transaction that
// writes. It flushes nothing, since nothing changes.
func (Backend) Rehearse(ctx context.Context, file files.File, namespace string) (raw jsontext.Value, err error) {
	err = write(ctx, file, func(d *database) error {
		if err := d.conn.Exec(begin); err != nil {
			return err
		}
		if raw, err = d.load(namespace); err != nil {
			return err
		}
		// An UPDATE to the same value would write no page, and make no journal.
		_, _, err := d.query(store, "", "", "")
		return err
	})
	return raw, err
}

// Edit reads and writes the tokens in one transaction.
func (Backend) Edit(ctx context.Context, file files.File, namespace string, edit func(map[string]jsontext.Value) error) error {
	return write(ctx, file, func(d *database) error {
		if err := d.conn.Exec(careful + begin); err != nil {
			return err
		}
		raw, err := d.load(namespace)
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
			if _, _, err := d.query(`DELETE FROM token_storage WHERE namespace = ? AND resource_server = ?`, namespace, server); err != nil {
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
			if _, _, err := d.query(statement, namespace, server, string(data)); err != nil {
				return err
			}
		}
		return d.conn.Exec(commit)
	})
}

// Delete removes a namespace, whatever it holds.
func (Backend) Delete(ctx context.Context, file files.File, namespace string) error {
	return use(ctx, file, func(d *database) error {
		err := d.conn.Exec(careful)
		if err == nil {
			_, _, err = d.query(`DELETE FROM token_storage WHERE namespace = ?`, namespace)
		}
		return err
	})
}

// database is an open file.
type database struct {
	conn   *sqlite3.Conn
	file   files.File
	legacy bool // schema version 1
}

// connect opens a database that exists, for the time of one call.
func connect(ctx context.Context, file files.File, path string) (*sqlite3.Conn, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	name := url.URL{Scheme: "file", Path: slashed, RawQuery: "vfs=" + private}
	conn, err := sqlite3.OpenFlags(name.String(), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	conn.SetInterrupt(ctx)
	return conn, conn.BusyTimeout(file.LockTimeout)
}

// use opens the file after the checks for the time of one call. It does not call work if
// the file is missing or empty.
func use(ctx context.Context, file files.File, work func(*database) error) error {
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
	d := &database{file: file}
	if d.conn, err = connect(ctx, file, file.Path); err != nil {
		return d.translate(err)
	}
	defer func() { _ = d.conn.Close() }()
	if err = d.readVersion(); err == nil {
		err = work(d)
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // SQLite says that it was interrupted, or that the file is locked
	}
	return d.translate(err)
}

// query runs a statement, and returns the first column of its first row.
func (d *database) query(statement string, args ...string) (value []byte, found bool, err error) {
	prepared, _, err := d.conn.Prepare(statement)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = cmp.Or(err, prepared.Close()) }()
	for i, arg := range args {
		if err := prepared.BindText(i+1, arg); err != nil {
			return nil, false, err
		}
	}
	if found = prepared.Step(); found {
		value = bytes.Clone(prepared.ColumnRawText(0))
	}
	return value, found, prepared.Err()
}

func (d *database) readVersion() error {
	version, _, err := d.query(`SELECT value FROM sdk_storage_adapter_internal
		WHERE attribute = 'globus-sdk.database_schema_version'`)
	if err != nil {
		return err
	}
	if d.legacy = string(version) == "1"; !d.legacy && string(version) != "2" {
		return d.odd(fmt.Sprintf("its schema version is %q, not 1 or 2: update this program", version))
	}
	return nil
}

func (d *database) odd(what string) error {
	return fmt.Errorf("%w: %s: %s", tokens.ErrUnreadable, d.file.Path, what)
}

// translate returns SQLite's errors as those of the store.
func (d *database) translate(err error) error {
	code, ok := errors.AsType[sqlite3.ErrorCode](err)
	if !ok {
		return err
	}
	switch code {
	case sqlite3.CORRUPT, sqlite3.NOTADB:
		return fmt.Errorf("%w: %s is damaged or not a database (%w)", tokens.ErrUnreadable, d.file.Path, err)
	case sqlite3.ERROR: // the statements are correct, so a table or column is missing
		return fmt.Errorf("%w: %s has no table of tokens (%w) (%w)", tokens.ErrUnreadable, d.file.Path, err, files.ErrForeign)
	case sqlite3.BUSY, sqlite3.LOCKED:
		return fmt.Errorf("%w: %s (%w): let the program that writes to it finish, or end it", tokens.ErrLocked, d.file.Path, err)
	default:
		return fmt.Errorf("%s: %w", d.file.Path, err)
	}
}

// load returns the tokens of a namespace as one object. A row that is not valid JSON is null.
func (d *database) load(namespace string) (jsontext.Value, error) {
	raw, found, err := d.query(`SELECT json_group_object(resource_server,
			CASE WHEN json_valid(token_data_json) THEN json(token_data_json) END)
		FROM token_storage WHERE namespace = ? HAVING total(length(token_data_json)) <= `+maxTokens, namespace)
	if err == nil && !found {
		err = d.odd(fmt.Sprintf("namespace %q holds more than 16 MiB, which no login does", namespace))
	}
	return raw, err
}

// write does work in a database that it creates if it is missing, and rolls back what work
// did not commit. The error is [fs.ErrNotExist] if another program removed or replaced the file.
func write(ctx context.Context, file files.File, work func(*database) error) error {
	if err := create(ctx, file); err != nil {
		return err
	}
	opened, err := os.Lstat(file.Path)
	if err != nil {
		return err
	}
	if err := use(ctx, file, work); err != nil { // closing the connection rolls back
		return err
	}
	if now, err := os.Lstat(file.Path); err != nil || now.Size() == 0 || !os.SameFile(now, opened) {
		return fmt.Errorf("%s was removed by another program: %w", file.Path, fs.ErrNotExist)
	}
	return nil
}

// create creates the database with its tables at once: the Python SDK creates no tables
// in a file that exists.
func create(ctx context.Context, file files.File) error {
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
	fresh.Close()
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

func initialize(ctx context.Context, file files.File, path string) error {
	d := &database{file: file}
	conn, err := connect(ctx, file, path)
	if err == nil {
		defer func() { _ = conn.Close() }()
		err = conn.Exec(schema)
	}
	return d.translate(err)
}
