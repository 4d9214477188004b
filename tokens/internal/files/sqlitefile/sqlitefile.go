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
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
)

const (
	// maxTokens bounds what one namespace may hold, in bytes: 16 MiB.
	maxTokens = "16777216"

	// careful is what a transaction that commits begins with. The directory is flushed too,
	// which a commit by removing the journal changes. Deleted tokens are not left in free pages.
	careful = `PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; BEGIN IMMEDIATE;`
	// rehearsal is a transaction that is rolled back. It flushes nothing, since nothing changes. An
	// UPDATE to the same value would write no page, and make no journal.
	rehearsal = `PRAGMA synchronous = OFF; BEGIN IMMEDIATE; REPLACE INTO token_storage VALUES ('', '', '');`

	// schema is that of the official Python SDK, version 2.
	schema = careful + `
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

// Backend is the format of the files. It keeps one connection open between calls, because
// opening one takes longer than reading the tokens. It is used by one store.
type Backend struct{ kept atomic.Pointer[database] }

var _ files.Backend = (*Backend)(nil)

// Load returns the tokens of a namespace.
func (b *Backend) Load(ctx context.Context, file files.File, namespace string) (raw jsontext.Value, err error) {
	err = b.use(ctx, file, func(d *database) error {
		raw, err = d.load(namespace)
		return err
	})
	return raw, err
}

// Namespaces returns those that hold tokens.
func (b *Backend) Namespaces(ctx context.Context, file files.File) (names []string, err error) {
	err = b.use(ctx, file, func(d *database) error {
		list, _, err := d.query(`SELECT json_group_array(DISTINCT namespace) FROM token_storage`)
		if err != nil {
			return err
		}
		return json.Unmarshal(list, &names, jsontext.AllowInvalidUTF8(true))
	})
	return names, err
}

// Rehearse tries a transaction that writes.
func (b *Backend) Rehearse(ctx context.Context, file files.File, namespace string) (raw jsontext.Value, err error) {
	err = b.write(ctx, file, func(d *database) error {
		if err := d.conn.Exec(rehearsal); err != nil {
			return err
		}
		raw, err = d.load(namespace)
		return err
	})
	return raw, err
}

// Edit reads and writes the tokens in one transaction.
func (b *Backend) Edit(ctx context.Context, file files.File, namespace string, edit func(jsontext.Value) (jsontext.Value, error)) error {
	return b.write(ctx, file, func(d *database) error { return d.edit(namespace, edit) })
}

// write is use in a database that it creates if it is missing. The error is [fs.ErrNotExist] if another
// program removed or replaced the file.
func (b *Backend) write(ctx context.Context, file files.File, work func(*database) error) error {
	if err := create(ctx, file); err != nil {
		return err
	}
	opened, err := os.Lstat(file.Path)
	if err != nil {
		return err
	}
	if err := b.use(ctx, file, work); err != nil {
		return err
	}
	if now, err := os.Lstat(file.Path); err != nil || now.Size() == 0 || !os.SameFile(now, opened) {
		return fmt.Errorf("%s was removed by another program: %w", file.Path, fs.ErrNotExist)
	}
	return nil
}

// use calls work with a connection to the file, after the checks. It does not call work if
// the file is missing or empty. It rolls back a transaction that work does not commit.
func (b *Backend) use(ctx context.Context, file files.File, work func(*database) error) (err error) {
	info, err := os.Lstat(file.Path)
	if err == nil {
		err = file.Check()
	}
	d := b.kept.Swap(nil) // a second call meanwhile opens a connection of its own
	if d != nil && (err != nil || info.Size() == 0 || d.path != file.Path || !os.SameFile(info, d.info)) {
		d.close()
		d = nil
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil
	case err != nil:
		return err
	case d == nil:
		if d, err = connect(ctx, file, file.Path); err != nil {
			return translate(ctx, file, err)
		}
	}
	defer func() {
		if !d.keepable(err) || !b.kept.CompareAndSwap(nil, d) {
			d.close()
		}
	}()
	d.conn.SetInterrupt(ctx)
	if err = d.readVersion(); err == nil {
		err = work(d)
	}
	return translate(ctx, file, err)
}

// database is a connection to a file. The garbage collector closes one that is not used any more.
type database struct {
	conn   *sqlite3.Conn
	path   string
	info   fs.FileInfo // of the file that is open
	legacy bool        // schema version 1
}

// connect opens a database that exists.
func connect(ctx context.Context, file files.File, path string) (*database, error) {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	name := url.URL{Scheme: "file", Path: slashed, RawQuery: "vfs=" + private}
	conn, err := sqlite3.OpenFlags(name.String(), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	d := &database{conn: conn, path: path}
	runtime.AddCleanup(d, func(conn *sqlite3.Conn) { _ = conn.Close() }, conn) // which may be closed already
	conn.SetInterrupt(ctx)
	if opened, err := conn.FileControl("main", sqlite3.FCNTL_FILE_POINTER); err == nil {
		if disk, ok := vfsutil.UnwrapFile[diskFile](opened.(vfs.File)); ok {
			d.info, _ = disk.Stat() // nil: the connection is not kept
		}
	}
	if err = conn.BusyTimeout(file.LockTimeout); err != nil {
		d.close()
	}
	return d, err
}

// diskFile is what the VFS of the system opens.
type diskFile interface {
	vfs.File
	Stat() (fs.FileInfo, error)
}

func (d *database) close() {
	_ = d.conn.Close()
	runtime.KeepAlive(d) // else the garbage collector could close it at the same time
}

// keepable ends a transaction that is left after err, and reports whether the connection may stay open. One
// that cannot write is opened anew for the next call, which may be allowed to. On Windows no program could
// replace the file. With a write-ahead log, the connection would keep a lock.
func (d *database) keepable(err error) bool {
	d.conn.SetInterrupt(context.Background())
	_, failed := errors.AsType[sqlite3.ErrorCode](err)
	if failed || runtime.GOOS == "windows" || !d.conn.GetAutocommit() && d.conn.Exec(`ROLLBACK`) != nil {
		return false
	}
	readOnly, _ := d.conn.ReadOnly("main")
	lock, err := d.conn.FileControl("main", sqlite3.FCNTL_LOCKSTATE)
	return err == nil && !readOnly && lock == vfs.LOCK_NONE
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
	return fmt.Errorf("%w: %s: %s", tokens.ErrUnreadable, d.path, what)
}

// translate returns SQLite's errors as those of the store.
func translate(ctx context.Context, file files.File, err error) error {
	code, ok := errors.AsType[sqlite3.ErrorCode](err)
	switch {
	case !ok:
		return err
	case ctx.Err() != nil:
		return ctx.Err() // SQLite says that it was interrupted, or that the file is locked
	}
	switch code {
	case sqlite3.CORRUPT, sqlite3.NOTADB:
		return fmt.Errorf("%w: %s is damaged or not a database (%w)", tokens.ErrUnreadable, file.Path, err)
	case sqlite3.ERROR: // the statements are correct, so a table or column is missing
		return fmt.Errorf("%w: %s has no table of tokens (%w) (%w)", tokens.ErrUnreadable, file.Path, err, files.ErrForeign)
	case sqlite3.BUSY, sqlite3.LOCKED:
		return fmt.Errorf("%w: %s (%w): let the program that writes to it finish, or end it", tokens.ErrLocked, file.Path, err)
	default:
		return fmt.Errorf("%s: %w", file.Path, err)
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

// edit writes what edit makes of the tokens of a namespace, in one transaction.
func (d *database) edit(namespace string, edit func(jsontext.Value) (jsontext.Value, error)) error {
	if err := d.conn.Exec(careful); err != nil {
		return err
	}
	raw, err := d.load(namespace)
	if err != nil {
		return err
	}
	next, err := edit(raw)
	if err != nil {
		return err
	}
	var before, after map[string]jsontext.Value
	if err := cmp.Or(json.Unmarshal(raw, &before), json.Unmarshal(next, &after)); err != nil {
		return err
	}
	for server := range before {
		if _, kept := after[server]; kept {
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
	for server, data := range after {
		if bytes.Equal(data, before[server]) {
			continue
		}
		if _, _, err := d.query(statement, namespace, server, string(data)); err != nil {
			return err
		}
	}
	return d.conn.Exec(`COMMIT`)
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
	fresh, err := file.Temp()
	if err != nil {
		return err
	}
	defer fresh.Remove()
	_ = fresh.Close()
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
	d, err := connect(ctx, file, path)
	if err == nil {
		defer d.close()
		err = d.conn.Exec(schema)
	}
	return translate(ctx, file, err)
}
