package fleettest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/sealed"
)

// Sealed changes the key of replicas one after another, while they update the same login and
// take each other's sessions: nothing fails, nothing is lost, and at the end the old key opens nothing. Every
// call of open returns the same stores for another replica.
func Sealed(t *testing.T, open func(t *testing.T) (tokens.Store, sealed.SessionStore)) {
	t.Helper()
	const size = 3
	manager := keyset.NewManager()
	primary := func(id uint32, err error) uint32 {
		t.Helper()
		if err := errors.Join(err, manager.SetPrimary(id)); err != nil {
			t.Fatal(err)
		}
		return id
	}
	old := primary(manager.Add(aead.AES256GCMKeyTemplate()))
	key := func() tink.AEAD {
		t.Helper()
		handle, err := manager.Handle()
		if err != nil {
			t.Fatal(err)
		}
		made, err := aead.New(handle)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	var replicas [size]*replica
	for i := range replicas {
		replicas[i] = &replica{}
		replicas[i].store, replicas[i].sessions = open(t)
		replicas[i].rekey(t, key())
	}
	idle := tokens.Key{ClientID: clientID, Namespace: "idle"} // not updated again
	if _, err := replicas[0].logins.Update(t.Context(), idle, func(tokens.Set) (tokens.Set, error) { return One(t, "A"), nil }); err != nil {
		t.Fatal(err)
	}

	var stop atomic.Bool
	var updates atomic.Int64
	var all sync.WaitGroup
	defer all.Wait()
	defer stop.Store(true)
	for i, r := range replicas {
		all.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if err := r.work(t, replicas[(i+1)%size], fmt.Sprint(i, " ", n)); err != nil {
					t.Errorf("replica %d: %v", i, err)
					return
				}
				updates.Add(1)
			}
		})
	}
	everywhere := func(key tink.AEAD) {
		for _, r := range replicas {
			r.rekey(t, key)
			for begin := updates.Load(); updates.Load() < begin+2*size && !t.Failed(); {
				wait(time.Millisecond)
			}
		}
	}
	first := key()
	second, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	everywhere(key()) // all open with both, and seal with the old key
	primary(second, nil)
	everywhere(key()) // and with the new one
	if err := replicas[0].logins.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := manager.Delete(old); err != nil {
		t.Fatal(err)
	}
	everywhere(key())
	stop.Store(true)
	all.Wait()

	set, err := replicas[0].logins.Load(t.Context(), Key())
	token, _ := set.ByResourceServer("rs")
	if err != nil || token.AccessToken != strconv.FormatInt(updates.Load(), 10) {
		t.Errorf("%d updates left %v, %v", updates.Load(), set, err)
	}
	if set, err := replicas[0].logins.Load(t.Context(), idle); err != nil || !set.Equal(One(t, "A")) {
		t.Errorf("the login that was sealed first is %v, %v", set, err)
	}
	replicas[0].rekey(t, first)
	if _, err := replicas[0].logins.Load(t.Context(), Key()); !errors.Is(err, tokens.ErrUnreadable) {
		t.Errorf("with the old key: %v", err)
	}
	if raw, err := replicas[0].store.Load(t.Context(), Key()); err != nil || len(raw.All()) != 1 || raw.Equal(One(t, token.AccessToken)) {
		t.Errorf("the store holds %v, %v", raw, err)
	}
}

// replica is a program with stores that it seals.
type replica struct {
	store    tokens.Store
	sessions sealed.SessionStore

	mu     sync.RWMutex // held for reading while the replica works
	logins *sealed.Store
	web    *sealed.Sessions
}

func (r *replica) rekey(t *testing.T, key tink.AEAD) {
	t.Helper()
	logins, err := sealed.New(sealed.Config{Store: r.store, AEAD: key})
	if err != nil {
		t.Fatal(err)
	}
	web, err := sealed.NewSessions(r.sessions, key)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logins, r.web = logins, web
}

// work counts in the login, and adds a session that another replica takes.
func (r *replica) work(t *testing.T, other *replica, session string) error {
	t.Helper()
	if err := r.write(t, session); err != nil {
		return err
	}
	other.mu.RLock()
	defer other.mu.RUnlock()
	data, err := other.web.Take(t.Context(), session)
	if err == nil && string(data) != session {
		err = fmt.Errorf("took %q, not %q", data, session)
	}
	return err
}

func (r *replica) write(t *testing.T, session string) error {
	t.Helper()
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, err := r.logins.Update(t.Context(), Key(), func(current tokens.Set) (tokens.Set, error) {
		token, _ := current.ByResourceServer("rs")
		n, _ := strconv.Atoi(token.AccessToken)
		return One(t, strconv.Itoa(n+1)), nil
	})
	if err != nil {
		return err
	}
	if _, err := r.web.Add(t.Context(), session, []byte(session), time.Now().Add(time.Hour)); err != nil {
		return err
	}
	raw, err := r.sessions.Get(t.Context(), session)
	if err == nil && (len(raw) == 0 || bytes.Contains(raw, []byte(session))) {
		err = fmt.Errorf("stored is %q", raw)
	}
	return err
}
