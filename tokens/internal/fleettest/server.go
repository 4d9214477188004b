package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// FreeAddress returns an address on which nothing listens.
func FreeAddress() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

// One is a set of one token.
func One(tb testing.TB, access string) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs", Scope: "s"})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// Update stores [One] under [Key].
func Update(tb testing.TB, store tokens.Store, access string) error {
	tb.Helper()
	_, err := store.Update(tb.Context(), Key(), func(tokens.Set) (tokens.Set, error) { return One(tb, access), nil })
	return err
}

// Put is Update, which must succeed.
func Put(tb testing.TB, store tokens.Store, access string) {
	tb.Helper()
	if err := Update(tb, store, access); err != nil {
		tb.Fatal(err)
	}
}

// Holds checks that [One] is stored under [Key], or nothing if access is empty.
func Holds(tb testing.TB, store tokens.Store, access string) {
	tb.Helper()
	want := tokens.Set{}
	if access != "" {
		want = One(tb, access)
	}
	if set, err := store.Load(tb.Context(), Key()); err != nil || !set.Equal(want) {
		token, _ := set.ByResourceServer("rs")
		tb.Errorf("stored is %.9q, %v; want %.9q", token.AccessToken, err, access)
	}
}

// ConnectionFails checks that a connection to a server that fails at any step, in any way, changes
// nothing for the caller, and that a statement that arrives late does not overwrite what was stored
// meanwhile. Each step has a part of its statement. The store that open returns has a limit of one second for a statement.
func ConnectionFails(t *testing.T, server string, steps map[string]string, open func(t *testing.T, address *net.TCPAddr, lease time.Duration) tokens.Store) {
	t.Helper()
	for step, text := range steps {
		for _, fault := range Faults() {
			t.Run(step+" "+fault, func(t *testing.T) {
				t.Parallel()
				const short = 300 * time.Millisecond
				lease := short
				if step == "acquire" && fault != "request delayed" {
					lease = time.Minute // the next attempt takes it over
				}
				proxy := NewProxy(t, server)
				store := open(t, proxy.Addr(), lease)
				Put(t, store, "A")
				proxy.FailAt(text, fault)
				calls := 0
				got, err := store.Update(t.Context(), Key(), func(current tokens.Set) (tokens.Set, error) {
					if calls++; !current.Equal(One(t, "A")) {
						t.Errorf("current is %v", current)
					}
					wait(short)
					return One(t, "B"), nil
				})
				if err != nil || calls != 1 || !got.Equal(One(t, "B")) {
					t.Errorf("Update: %v, %v, %d calls", got, err, calls)
				}
				Holds(t, store, "B")
				Put(t, store, "B") // changes nothing, so that the lease is released
				if err := store.Delete(t.Context(), Key()); err != nil {
					t.Errorf("Delete: %v", err)
				}
				Holds(t, store, "")
				Put(t, store, "C")
				if strings.HasSuffix(fault, "delayed") {
					<-proxy.settled
				}
				Holds(t, store, "C")
				if proxy.Failures() != 1 {
					t.Errorf("%d failures", proxy.Failures())
				}
			})
		}
	}
}

// HoldsNoConnection checks that a store that has one connection can run many updates at once.
func HoldsNoConnection(t *testing.T, store tokens.Store) {
	t.Helper()
	const updates = 20
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, updates)
	for i := range updates {
		go func() {
			_, err := store.Update(t.Context(), tokens.Key{ClientID: clientID, Namespace: fmt.Sprint(i)}, func(tokens.Set) (tokens.Set, error) {
				inside <- struct{}{}
				<-leave
				return One(t, "A"), nil
			})
			done <- err
		}()
	}
	for range updates {
		select {
		case <-inside:
		case err := <-done:
			t.Fatal(err)
		}
	}
	Holds(t, store, "")
	close(leave)
	for range updates {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Refused checks that a store finds out what is wrong with its server before an update
// begins, and that its errors say what to do, in one line and without a secret.
func Refused(t *testing.T, store tokens.Store, want, secret string) {
	t.Helper()
	begin := time.Now()
	_, updateErr := store.Update(t.Context(), Key(), func(current tokens.Set) (tokens.Set, error) {
		t.Error("fn was called")
		return current, nil
	})
	took := time.Since(begin)
	_, loadErr := store.Load(t.Context(), Key())
	if updateErr == nil || took > 20*time.Second {
		t.Errorf("Update: %v after %v", updateErr, took)
	}
	for _, err := range []error{updateErr, loadErr, store.Delete(t.Context(), Key())} {
		if err == nil {
			continue // what is wrong with writing is not wrong with reading
		}
		if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "\n") {
			t.Errorf("%q, want %q in one line", text, want)
		}
		encoded, _ := json.Marshal(err)
		if all := fmt.Sprintf("%v %+v %#v %s %#v", err, err, err, encoded, store); strings.Contains(all, secret) {
			t.Errorf("the secret is in %s", all)
		}
	}
	t.Log(updateErr)
}
