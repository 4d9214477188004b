// Package lease is a store of tokens in a database that many machines share. It
// decides who updates next, and keeps what was received through outages. A
// [Backend] has the statements of one database.
//
// An update holds a lease, not a lock: no connection and no transaction is open
// while it runs. Every Acquire gives the stored entry a new version, and Commit
// writes only where the version is still its own. So a process that was paused
// for longer than its lease cannot overwrite what another has stored meanwhile.
package lease

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/change"
	"github.com/globusauth/globusauth/tokens/internal/turns"
)

const (
	// defaultLease is how long a process that was killed blocks the updates of others.
	defaultLease = 15 * time.Second
	// statementTimeout limits one attempt, so that a connection that was cut
	// without a word does not block its caller.
	statementTimeout = 5 * time.Second
	// beat is how often a lease is extended, at least three times while it lasts. So often that pgxpool does not think
	// a connection idle, which would send a ping before Commit.
	beat = 750 * time.Millisecond
	// attempts of a statement that stores nothing.
	attempts = 3
	// waitTimeout limits the wait for other updates, and the attempts to store what was received.
	waitTimeout = 30 * time.Second
	// Waiting callers look for the end of a lease at intervals that grow.
	firstPause = 10 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// errNewer says that the result of an update was not stored.
var errNewer = errors.New("this process lost contact with the database for so long that another took its turn, " +
	"and what that stored is kept: what this update received is not stored; load the tokens again")

// Backend has the statements of a database. All are safe for concurrent use and safe to
// send twice, since the response to the first may be lost. Data is nil where
// nothing is stored. An error says what is wrong and what to do, without a secret.
type Backend interface {
	// Load returns the data stored under a key. It takes no lock.
	Load(ctx context.Context, key tokens.Key) ([]byte, error)
	// Acquire takes the lease of a key, unless it is held under another version,
	// sets its version and returns the data.
	Acquire(ctx context.Context, key tokens.Key, version string, lease time.Duration) (data []byte, acquired bool, err error)
	// Extend makes the lease last for that long from now, also one that has ended,
	// if it has this version and was not released.
	Extend(ctx context.Context, key tokens.Key, version string, lease time.Duration) error
	// Commit durably stores data, or removes the entry where data is nil, and
	// releases the lease, if the entry has this version. It reports whether it had.
	Commit(ctx context.Context, key tokens.Key, version string, data []byte) (stored bool, err error)
	// Release ends the lease, if it has this version. It leaves no entry without data.
	Release(ctx context.Context, key tokens.Key, version string) error
	// Keys returns the keys with data, in any order.
	Keys(ctx context.Context) ([]tokens.Key, error)
	// Permanent reports that an error will not go away by itself.
	Permanent(err error) bool
}

// Kind is what the public packages differ in.
type Kind struct {
	Package string // for errors
	Backend Backend
	Lease   time.Duration // zero means 15 seconds
	Timeout time.Duration // of a statement; zero means 5 seconds
}

// Store is a [tokens.Store] over a backend. It is safe for concurrent use.
type Store struct {
	kind  Kind
	turns turns.Turns[tokens.Key]
}

var _ tokens.Store = (*Store)(nil)

// New returns a store. It sends nothing.
func New(kind Kind) *Store {
	kind.Lease = cmp.Or(kind.Lease, defaultLease)
	return &Store{kind: kind}
}

func normal(ctx context.Context, key tokens.Key) (tokens.Key, error) {
	key, err := key.Normal()
	if err == nil {
		err = ctx.Err()
	}
	return key, err
}

// Load returns what is stored under key.
func (s *Store) Load(ctx context.Context, key tokens.Key) (set tokens.Set, err error) {
	defer prefix.Add(&err, s.kind.Package+": load")
	if key, err = normal(ctx, key); err != nil {
		return tokens.Set{}, err
	}
	var data []byte
	err = s.try(ctx, func(ctx context.Context) (err error) {
		data, err = s.kind.Backend.Load(ctx, key)
		return err
	})
	if err != nil {
		return tokens.Set{}, err
	}
	return decode(key, data)
}

func decode(key tokens.Key, data []byte) (tokens.Set, error) {
	if data == nil {
		return tokens.Set{}, nil
	}
	set, err := tokens.UnmarshalStorage(data)
	if err != nil {
		err = fmt.Errorf("%w: client %s in %s, namespace %q: %w: log out, which deletes them, and log in again",
			tokens.ErrUnreadable, key.ClientID, key.Environment, key.Namespace, err)
	}
	return set, err
}

func encode(set tokens.Set) ([]byte, error) {
	if set.Equal(tokens.Set{}) {
		return nil, nil
	}
	return set.MarshalStorage()
}

// Update replaces what is stored under key by what fn makes of it.
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (next tokens.Set, err error) {
	defer prefix.Add(&err, s.kind.Package+": update")
	h, done, err := s.acquire(ctx, key)
	if err != nil {
		return tokens.Set{}, err
	}
	defer done()
	current, err := decode(h.key, h.data)
	if err != nil {
		return tokens.Set{}, err
	}
	if _, err := encode(current); err != nil { // the first time takes ten times as long, which is better before fn
		return tokens.Set{}, err
	}
	stop := s.keep(ctx, h.key, h.version)
	defer stop()
	if next, err = fn(current); err != nil {
		return tokens.Set{}, err
	}
	if next.Equal(current) {
		return next, nil
	}
	data, err := encode(next)
	if err != nil {
		return next, err
	}
	return next, s.commit(ctx, h, data)
}

// keep extends a lease until stop is called. What fn received does not wait for an
// Extend whose response is missing: one that arrives after Commit changes nothing.
func (s *Store) keep(ctx context.Context, key tokens.Key, version string) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(min(beat, s.kind.Lease/3))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = Attempt(ctx, s.kind.Lease/3, func(ctx context.Context) error {
					return s.kind.Backend.Extend(ctx, key, version, s.kind.Lease)
				}) // the next beat tries again, and Commit finds out whether the lease was lost
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// Delete removes what is stored under key, also what cannot be read.
func (s *Store) Delete(ctx context.Context, key tokens.Key) (err error) {
	defer prefix.Add(&err, s.kind.Package+": delete")
	h, done, err := s.acquire(ctx, key)
	if err != nil {
		return err
	}
	defer done()
	if h.data == nil {
		return nil
	}
	return s.commit(ctx, h, nil)
}

// Keys returns the keys under which something is stored.
func (s *Store) Keys(ctx context.Context) (keys []tokens.Key, err error) {
	defer prefix.Add(&err, s.kind.Package+": list")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = Attempt(ctx, waitTimeout, func(ctx context.Context) (err error) {
		keys, err = s.kind.Backend.Keys(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, tokens.Key.Compare)
	return keys, nil
}

// held is a lease.
type held struct {
	key     tokens.Key
	version string
	data    []byte // stored when the lease was acquired
}

// acquire waits for its turn in this process, and then for the lease.
func (s *Store) acquire(ctx context.Context, key tokens.Key) (h *held, done func(), err error) {
	if key, err = normal(ctx, key); err != nil {
		return nil, nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, waitTimeout, tokens.ErrLocked)
	defer cancel()
	leave, err := s.turns.Enter(limited, key)
	if err != nil {
		return nil, nil, waitError(limited, key)
	}
	h = &held{key: key, version: rand.Text()}
	if err = s.take(limited, h); err == nil {
		return h, func() { s.release(ctx, h); leave() }, nil
	}
	leave()
	go s.release(ctx, h) // a statement may be carried out although its response did not arrive
	if limited.Err() != nil {
		err = waitError(limited, key)
	}
	return nil, nil, err
}

// take waits for the lease.
func (s *Store) take(ctx context.Context, h *held) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		acquired := false
		err := s.try(ctx, func(ctx context.Context) (err error) {
			h.data, acquired, err = s.kind.Backend.Acquire(ctx, h.key, h.version, s.kind.Lease)
			return err
		})
		if acquired || err != nil {
			return err
		}
		if !Sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// waitError says why waiting ended.
func waitError(ctx context.Context, key tokens.Key) error {
	if cause := context.Cause(ctx); !errors.Is(cause, tokens.ErrLocked) {
		return fmt.Errorf("wait for another update: %w", cause)
	}
	return fmt.Errorf("%w: the tokens of client %s in %s, namespace %q, are being updated for more than %v: let the other process finish, or end it",
		tokens.ErrLocked, key.ClientID, key.Environment, key.Namespace, waitTimeout)
}

// release ends a lease that was not committed. If the database does not respond, a
// goroutine goes on until the lease has ended by itself.
func (s *Store) release(ctx context.Context, h *held) {
	ctx = context.WithoutCancel(ctx)
	end := func() error {
		return Attempt(ctx, s.kind.Timeout, func(ctx context.Context) error { return s.kind.Backend.Release(ctx, h.key, h.version) })
	}
	if h.version == "" || end() == nil {
		return
	}
	go func() {
		limited, cancel := context.WithTimeout(ctx, s.kind.Lease)
		defer cancel()
		for pause := firstPause; Sleep(limited, pause) && end() != nil; pause *= 2 {
		}
	}()
}

// commit stores the result of an update, also when ctx has ended. It tries for
// waitTimeout: what was received may be stored nowhere else. Where the lease was
// lost, it takes it again, and stores the tokens that no other update has replaced meanwhile.
func (s *Store) commit(ctx context.Context, h *held, data []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitTimeout)
	defer cancel()
	before, lost := h.data, false
	var notWhole error // where another update has stored a part
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		var stored bool
		var err error
		if lost {
			if err = s.take(ctx, h); err == nil {
				if same(h.data, data) {
					return notWhole // stored, by a statement whose response was lost
				}
				if !same(h.data, before) {
					var whole bool
					if data, whole, err = rebase(h, before, data); err != nil {
						return err
					}
					if before = h.data; !whole {
						notWhole = errNewer
					}
				}
				lost = false
			}
		}
		if err == nil {
			err = Attempt(ctx, s.kind.Timeout, func(ctx context.Context) (err error) {
				stored, err = s.kind.Backend.Commit(ctx, h.key, h.version, data)
				return err
			})
		}
		switch {
		case stored:
			h.version = "" // nothing to release
			return notWhole
		case err == nil:
			lost, h.version = true, rand.Text()
		case s.kind.Backend.Permanent(err) || !Sleep(ctx, pause):
			return fmt.Errorf("what was received is stored nowhere: %w", err)
		}
	}
}

// rebase makes the change from before to after to what another update has stored. It
// fails if nothing of the change can be made.
func rebase(h *held, before, after []byte) (data []byte, whole bool, err error) {
	var sets [3]tokens.Set
	for i, data := range [][]byte{h.data, before, after} {
		if sets[i], err = decode(h.key, data); err != nil {
			return nil, false, fmt.Errorf("%w (%w)", errNewer, err)
		}
	}
	next, whole := change.On(sets[0], sets[1], sets[2], false)
	if next.Equal(sets[0]) {
		return nil, false, errNewer
	}
	data, err = encode(next)
	return data, whole, err
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// try sends a statement that may be sent twice, a few times.
func (s *Store) try(ctx context.Context, statement func(context.Context) error) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 10*pause {
		err := Attempt(ctx, s.kind.Timeout, statement)
		if err == nil || n == attempts || s.kind.Backend.Permanent(err) || !Sleep(ctx, pause) {
			return err
		}
	}
}

// Attempt sends a statement, and limits its time; zero means 5 seconds. The limit is no error of the caller's context.
func Attempt(ctx context.Context, limit time.Duration, statement func(context.Context) error) error {
	limit = cmp.Or(limit, statementTimeout)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := statement(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("the database did not respond within %v: is it reachable, with or without TLS as the client has it, and are enough connections free?", limit)
	}
	return err
}

// Sleep reports whether the time has passed before the context ended.
func Sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
