package tokens

import (
	"context"
	"errors"
)

// What a durable store can report beside the errors of the file system. Each
// message names the file and what to do.
var (
	// ErrUnreadable says that what is stored is damaged, or in a format of another
	// version. It is never overwritten.
	ErrUnreadable = errors.New("stored tokens cannot be read")
	// ErrUnsafe says that others could read or replace what is stored.
	ErrUnsafe = errors.New("stored tokens are not safe from others")
	// ErrLocked says that another process kept the store locked for too long.
	ErrLocked = errors.New("another process holds the lock")
)

// Store keeps the tokens of logins. [Memory] is one; packages filestore and sqlitestore are durable; package
// storetest checks that a custom store keeps this contract.
//
// A store is safe for concurrent use, and where several processes can open the
// same store, its promises hold between them too.
type Store interface {
	// Load returns what is stored under key, an empty set if nothing is. It takes
	// no lock and does not wait for an Update: it returns the state before or
	// after, never one in between.
	Load(ctx context.Context, key Key) (Set, error)

	// Update replaces what is stored under key by what fn makes of it, and returns
	// that. Updates of one key happen one after the other, also across
	// processes; fn is called at most once, with the stored state read after the
	// lock was taken, and may take its time, such as for a refresh. When Update
	// returns without an error the new state is durable. When fn returns an
	// error, or panics, nothing is changed, and Update returns that error, wrapped.
	// An empty next set removes the key.
	//
	// Waiting for other updates ends with ctx. Once fn has returned without an
	// error its result is stored even if ctx has ended meanwhile: it may hold a
	// refresh token whose predecessor is already used. If it cannot be stored, Update
	// returns next with the error, so that the caller still holds what fn got.
	//
	// fn must not call Update or Delete of the same store.
	Update(ctx context.Context, key Key, fn func(current Set) (next Set, err error)) (Set, error)

	// Delete removes what is stored under key. Nothing stored is no error.
	Delete(ctx context.Context, key Key) error

	// Keys returns the keys under which something is stored, sorted, defaults filled in.
	Keys(ctx context.Context) ([]Key, error)
}
