// Package filestore keeps tokens in JSON files: those of the official Python SDK
// (its JSONTokenStorage, format 2.0), in the same places, so that a Go and a
// Python program can share one login.
//
// With an app's name, the tokens of a client are where a Python GlobusApp of
// that name and client keeps them:
//
//	~/.globus/app/CLIENT_ID/APP_NAME/tokens.json              in production
//	~/.globus/app/CLIENT_ID/APP_NAME/ENVIRONMENT-tokens.json  elsewhere
//
// (on Windows below %LOCALAPPDATA%\globus\app), and the key's namespace is the
// SDK's, "DEFAULT" for apps. With a path of its own, a store is one file for one
// client. Tokens of a service at an address of its own are never in a file that
// Python reads, but beside it in one that is named after the address
// ("tokens@http%3a%2f%2f127.0.0.1%3a8080%2f.json").
//
// # What is promised
//
// Updates take turns between goroutines and processes that use this package, by a lock
// file beside the tokens ("tokens.json.lock", which stays). A file is replaced
// whole: written beside it, flushed to disk, renamed.
// Killing the process at any instant leaves the state before or after.
//
// Before fn is called, Update does what can fail: lock, read, reserve room on the disk.
// A store that cannot be used is thus noticed before a refresh token is used, and an
// Update that changes nothing says whether one could be stored.
//
// What fn returned is written down beside the file (".tokens.json.next", with the tokens
// before and after) before the file is changed. When the process is killed then, or the
// file cannot be written, Load returns it from there, and the next Update puts it into the
// file. A Python program does not see it before. Fields of the file that this package does not
// know are kept.
//
// Where the file system has no locks, a file that only one process can create takes
// the place of the lock ("tokens.json.locked"). It is removed by others when its process is
// known to have ended on the same machine, or when it is older than ten minutes. Where
// locks exclude nothing, such as with Lustre's localflock or NFS's local_lock, the
// later of two updates at once stays. If that is not sufficient, keep the tokens on
// another file system, with Dir or Path.
//
// A file that others can read or write, that belongs to another user or lies in
// a directory others can write to is refused with [tokens.ErrUnsafe]; one that cannot
// be understood with [tokens.ErrUnreadable], and it is never overwritten.
// Delete clears both, where the file is the caller's own; see there. Files
// are made with mode 0600, directories with 0700. Windows has no such modes: there
// the user's profile protects the files.
//
// # Beside a Python program
//
// The Python SDK knows no lock and rewrites the file in place. Reading waits up to
// 250 ms for it to finish. An update reads the file again just before it is
// replaced and puts only its own changes into it, so that what Python stored meanwhile
// for other resource servers stays. Three things cannot be promised: when both
// store the same token within the same moment, one of the two is lost; when a Python process is
// killed while it writes, the file is damaged; and where the service rotates
// refresh tokens, both may spend the same one. What Python rewrites loses the
// fields it does not know, such as the lifetime this package adds.
package filestore
