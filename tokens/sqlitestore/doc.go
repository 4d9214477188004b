// Package sqlitestore keeps tokens in SQLite files: those of the official Python
// SDK (its SQLiteTokenStorage, schema version 2), in the same places, so that a
// Go and a Python program can share one login. Files of its older
// SQLiteAdapter (schema version 1, which the Globus CLI uses) are read and
// updated without being converted.
//
// With an app's name, the tokens of a client are where a Python GlobusApp with
// SQLite storage keeps them:
//
//	~/.globus/app/CLIENT_ID/APP_NAME/tokens.db              in production
//	~/.globus/app/CLIENT_ID/APP_NAME/ENVIRONMENT-tokens.db  elsewhere
//
// (on Windows below %LOCALAPPDATA%\globus\app), and the key's namespace is the
// SDK's, "DEFAULT" for apps. With a path of its own, a store is one file for one
// client. Tokens of a service at an address of its own are never in a file that
// Python reads, but beside it in one that is named after the address
// ("tokens@http%3a%2f%2f127.0.0.1%3a8080%2f.db").
//
// # What is promised
//
// Updates take turns between goroutines and processes that use this package, by
// a lock file beside the database ("tokens.db.lock", which stays), not by a long
// transaction, so that a Python program is never kept waiting by a refresh. What an update
// changes is written in one short transaction, flushed to disk, with SQLite's rollback
// journal.
// Killing the process at any instant leaves the state before or after.
//
// Before fn is called, Update does what can fail: lock, read, reserve room on the disk, and a
// transaction that writes and is rolled back.
// A store that cannot be used is thus noticed before a refresh token is used, and an
// Update that changes nothing says whether one could be stored.
//
// What fn returned is written down beside the file (".tokens.db.next", with the tokens
// before and after) before the file is changed. When the process is killed then, or the
// file cannot be written, Load returns it from there, and the next Update puts it into the
// file. A Python program does not see it before. Fields of a token that this package does not know are kept, and so is every
// other table.
//
// Where the file system has no locks, a file that only one process can create takes
// the place of the lock ("tokens.db.locked"). It is removed by others when its process is
// known to have ended on the same machine, or when it is older than ten minutes. Where
// locks exclude nothing, such as with Lustre's localflock or NFS's local_lock, the
// later of two updates at once stays. If that is not sufficient, keep the tokens on
// another file system, with Dir or Path.
//
// A file that others can read or write, that belongs to another user or lies in
// a directory others can write to is refused with [tokens.ErrUnsafe]; one that is no
// such database, or a newer one, with [tokens.ErrUnreadable].
// Delete clears both, where the file is the caller's own; see there. Files are made with mode
// 0600, directories with 0700. Windows has no such modes: there the user's profile protects
// the files. SQLite's locks do not work on every network file system.
//
// A Python program takes part in SQLite's locks but not in the lock file: when
// both store the same token within the same moment, the later one stays, and where
// the service rotates refresh tokens, both may spend the same one.
package sqlitestore
