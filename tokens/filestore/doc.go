// Package filestore keeps tokens in JSON files ([Store]): those of the official Python SDK
// (its JSONTokenStorage, format 2.0), in the same directories, so that a Go and a
// Python program can share one login.
//
// With an app's name, the tokens of a client are where a Python GlobusApp of
// that name and client keeps them:
//
//	~/.globus/app/CLIENT_ID/APP_NAME/tokens.json              in production
//	~/.globus/app/CLIENT_ID/APP_NAME/ENVIRONMENT-tokens.json  elsewhere
//
// (on Windows below %LOCALAPPDATA%\globus\app), and the key's namespace is the
// SDK's, "DEFAULT" for apps. With [Config.Path], a store is one file for one client. Tokens
// of a service at a custom address are in a file that Python does not read, named
// after the address ("tokens@http%3a%2f%2f127.0.0.1%3a8080%2f.json").
//
// # Promises
//
// Updates are exclusive between goroutines and processes that use this package, by a
// lock file beside the tokens ("tokens.json.lock", which is not removed). A file is
// replaced as a whole: written beside it, flushed to disk, renamed. Killing the
// process at any instant leaves the state before or after.
//
// Before fn is called, Update does what can fail: it locks, reads, and reserves space
// on the disk. So a store that cannot be used is noticed before a refresh token is
// used, and an Update that changes nothing tests the store.
//
// What fn returned is first written into a file beside the tokens
// ("tokens.json.pending", with the tokens before and after; it is empty otherwise). If the process is
// killed before the token file is replaced, or the file cannot be written, Load
// returns the tokens from there, and the next Update puts them into the token file. A
// Python program does not see them before that. Fields that this package does not
// know are kept.
//
// Where the file system has no locks, a file that only one process can create takes
// the place of the lock ("tokens.json.locked"). Other processes remove it when it
// is older than two minutes.
// Where locks exclude nothing, such as with Lustre's localflock or NFS's local_lock, the
// later of two concurrent updates stays. If that is not sufficient, keep the tokens on
// another file system, with Dir or Path.
//
// A file that others can read or write, that belongs to another user, or that is in
// a directory others can write to is refused with [tokens.ErrUnsafe]. A file that cannot
// be understood is refused with [tokens.ErrUnreadable] and never overwritten.
// Delete clears both, if the file belongs to the user. Files are created with mode
// 0600, directories with 0700. Windows has no such modes: there the user's profile
// protects the files. A store is not shared between users: give each user or service a
// login of its own, or hand an access token on.
//
// # Beside a Python program
//
// The Python SDK knows no lock and rewrites the file in place. Reading waits up to
// 250 ms for it to finish. An update reads the file again just before it
// replaces it, and puts only its own changes into it, so that what Python stored meanwhile
// for other resource servers is kept. Three things cannot be promised: if both
// store the same token at the same moment, one of the two is lost; if a Python process is
// killed while it writes, the file is damaged; and if the service rotates
// refresh tokens, both may use the same one. When Python rewrites the file, it drops the
// fields it does not know, such as the lifetime this package adds.
package filestore
