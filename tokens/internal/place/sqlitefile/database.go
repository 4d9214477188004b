package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/place"
	"github.com/globusauth/globusauth/tokens/internal/stored"
)

// database is an open file, for the time of one call.
type database struct {
	db     *sql.DB
	path   string
	legacy bool // schema version 1
}

func (d *database) close() { _ = d.db.Close() }

// connect opens a file that exists. The file is never opened in any other way in
// this process: closing it would drop SQLite's locks on it (POSIX fcntl).
func connect(path string, busy time.Duration) (*sql.DB, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	query := url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")",
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

// open opens a file after the checks; nil if there is none, or an empty one.
func (b *Backend) open(ctx context.Context, path string) (*database, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := place.Check(path); err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, nil // a database nobody has written to
	}
	db, err := connect(path, b.Busy)
	if err != nil {
		return nil, err
	}
	d := &database{db: db, path: path}
	if err := d.checkSchema(ctx); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *database) checkSchema(ctx context.Context) error {
	var tables int
	err := d.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table'
		AND name IN ('token_storage', 'sdk_storage_adapter_internal')`).Scan(&tables)
	if err != nil {
		return d.failed(err)
	}
	if tables != 2 {
		return fmt.Errorf("%w (%w)", d.odd("it has no table of tokens"), place.ErrForeign)
	}
	var version string
	err = d.db.QueryRowContext(ctx, `SELECT value FROM sdk_storage_adapter_internal
		WHERE attribute = 'globus-sdk.database_schema_version'`).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return d.failed(err)
	}
	if version != "1" && version != "2" {
		return d.odd(fmt.Sprintf("its schema version is %q, not 1 or 2: update this program", version))
	}
	d.legacy = version == "1"
	return nil
}

// create makes the database whole or not at all: the Python SDK makes no tables
// in a file that is there.
func (b *Backend) create(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err == nil {
		if info.Size() > 0 {
			return nil
		}
		return b.initialize(ctx, path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh, err := place.System{}.Temp(path, 0)
	if err != nil {
		return err
	}
	defer fresh.Remove()
	fresh.Close() // closing it later would drop SQLite's locks on it
	// A journal without its database would be played into the new one.
	if err := os.Remove(path + "-journal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.initialize(ctx, fresh.Name()); err != nil {
		return err
	}
	// A link takes nothing's place: another process may have been faster.
	if err := os.Link(fresh.Name(), path); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return fresh.Move(path) // a file system without links
}

func (b *Backend) initialize(ctx context.Context, path string) error {
	db, err := connect(path, b.Busy)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	d := &database{db: db, path: path}
	return d.inTransaction(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, schema)
		return err
	})
}

func (d *database) inTransaction(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return d.failed(err)
	}
	if err := work(tx); err != nil {
		return d.failed(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return d.failed(err)
	}
	return nil
}

func (d *database) odd(what string) error {
	return fmt.Errorf("%w: %s: %s", tokens.ErrUnreadable, d.path, what)
}

// failed puts SQLite's errors in the words of the store.
func (d *database) failed(err error) error {
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	switch failure.Code() & 0xff { // without the extension of the code
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %s is damaged or no database (%w)", tokens.ErrUnreadable, d.path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %s (%w): let the program that writes to it finish, or end it", tokens.ErrLocked, d.path, err)
	}
	return fmt.Errorf("%s: %w", d.path, err)
}

// load returns the tokens of a namespace.
func (d *database) load(ctx context.Context, namespace string) (tokens.Set, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT resource_server, token_data_json FROM token_storage WHERE namespace = ?`, namespace)
	if err != nil {
		return tokens.Set{}, d.failed(err)
	}
	defer func() { _ = rows.Close() }()
	size := 0
	byName := map[string]jsontext.Value{}
	for rows.Next() {
		var name, data string
		if err := rows.Scan(&name, &data); err != nil {
			return tokens.Set{}, d.failed(err)
		}
		if size += len(data); size > maxTokens {
			return tokens.Set{}, d.odd(fmt.Sprintf("namespace %q holds more than %d MiB, which no login does", namespace, maxTokens>>20))
		}
		if byName[name] = jsontext.Value(data); !byName[name].IsValid() {
			return tokens.Set{}, d.odd(fmt.Sprintf("namespace %q: the token for %q is not valid JSON", namespace, name))
		}
	}
	if err := rows.Err(); err != nil {
		return tokens.Set{}, d.failed(err)
	}
	if len(byName) == 0 {
		return tokens.Set{}, nil
	}
	all, err := json.Marshal(byName)
	if err != nil {
		return tokens.Set{}, err
	}
	set, err := tokens.UnmarshalStorage(all)
	if err != nil {
		return tokens.Set{}, fmt.Errorf("%w: %s, namespace %q: %w",
			tokens.ErrUnreadable, d.path, namespace, err)
	}
	return set, nil
}

// replace writes one row, over what members of it nobody here knows.
func (d *database) replace(ctx context.Context, tx *sql.Tx, namespace, resourceServer string, data jsontext.Value) error {
	var before string
	err := tx.QueryRowContext(ctx, `SELECT token_data_json FROM token_storage WHERE namespace = ? AND resource_server = ?`,
		namespace, resourceServer).Scan(&before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	merged, err := stored.Overlay(jsontext.Value(before), data)
	if err != nil {
		return fmt.Errorf("the stored token for %q: %w", resourceServer, err)
	}
	if d.legacy {
		if merged, err = withNulls(merged); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?, ?, ?)`,
		namespace, resourceServer, string(merged))
	return err
}

// withNulls adds the members that readers of schema version 1 expect to be there.
func withNulls(token jsontext.Value) (jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(token, &members); err != nil {
		return nil, err
	}
	for _, member := range []string{"refresh_token", "token_type"} {
		if _, found := members[member]; !found {
			members[member] = jsontext.Value("null")
		}
	}
	return json.Marshal(members, json.Deterministic(true))
}

// namespaces returns those that hold tokens.
func (d *database) namespaces(ctx context.Context) ([]string, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT DISTINCT namespace FROM token_storage`)
	if err != nil {
		return nil, d.failed(err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, d.failed(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return nil, d.failed(err)
	}
	return names, nil
}
