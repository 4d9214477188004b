// Package sqlitestore keeps tokens in SQLite files ([Store]): those of the official Python
// SDK (its SQLiteTokenStorage, schema version 2), in the same directories, so that a
// Go and a Python program can share one login. Files of its older
// SQLiteAdapter (schema version 1, which the Globus CLI uses) are read and
// updated without being converted.
//
// Files are named as for package filestore, with the extension ".db":
//
//	~/.globus/app/CLIENT_ID/APP_NAME/tokens.db              in production
//	~/.globus/app/CLIENT_ID/APP_NAME/ENVIRONMENT-tokens.db  elsewhere
//
// # Promises
//
// The promises are those of package filestore, with these differences.
//
// A change is written in one short transaction, flushed to disk, with SQLite's rollback
// journal. Updates are exclusive by the lock file ("tokens.db.lock"), not by a long
// transaction, so that a Python program never waits for a refresh. Before fn is called,
// Update also tries a transaction that writes, and rolls it back.
//
// Rows and fields that this package does not know are kept, and so is every other
// table. A file that is not such a database, or has a newer schema, is refused with
// [tokens.ErrUnreadable]. SQLite's locks do not work on every network file system.
//
// A Python program takes part in SQLite's locks but not in the lock file: if
// both store the same token at the same moment, the later one stays, and if
// the service rotates refresh tokens, both may use the same one.
package sqlitestore
