//go:build interop

package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
)

func TestStore_Kill(t *testing.T) {
	t.Parallel()
	kills := fleettest.Kills(t, "REDISSTORE_KILLS", 50)
	for _, kind := range []string{"grace", "no grace", "floor"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fleet := shared.place().fleet(t, testLease)
			if kind == "floor" {
				fleet.Kind = kind
			}
			fleet.Kill(t, kind == "grace", kills)
		})
	}
}

// The server is killed and started again under load. Its append-only file holds what was acknowledged: with
// "everysec", the server may keep it from the file for two seconds while it flushes.
func TestStore_ServerKilled(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--appendfsync", "always")
	s.place().fleet(t, outageLease).Share(t, 4, 4, 10*time.Second, func() {
		for range 5 {
			time.Sleep(time.Second)
			s.kill()
			time.Sleep(200 * time.Millisecond)
			if err := s.start(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A server that is started again during an update has its result afterwards.
func TestStoreUpdate_ServerRestarted(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--appendfsync", "always")
	store := newStore(t, s.client(t), config())
	restarted := make(chan error, 1)
	_, err := store.Update(t.Context(), fleettest.Key(), func(tokens.Set) (tokens.Set, error) {
		s.kill()
		go func() {
			time.Sleep(time.Second)
			restarted <- s.start()
		}()
		return fleettest.One(t, "A"), nil
	})
	if err := errors.Join(err, <-restarted); err != nil {
		t.Fatal(err)
	}
	fleettest.Holds(t, store, "A")
}

// What another program stored under the key is neither used nor overwritten.
func TestStore_ForeignData(t *testing.T) {
	t.Parallel()
	client, config := shared.client(t), config()
	store := newStore(t, client, config)
	fleettest.Put(t, store, "A")
	name, _ := command(t, client, "KEYS", config.Prefix+"*").([]any)[0].(string)
	command(t, client, "SET", name, "not tokens")
	_, err := store.Load(t.Context(), fleettest.Key())
	if updateErr := fleettest.Update(t, store, "B"); !errors.Is(err, tokens.ErrUnreadable) || !errors.Is(updateErr, tokens.ErrUnreadable) {
		t.Errorf("errors %v, %v", err, updateErr)
	}
	if err := store.Delete(t.Context(), fleettest.Key()); err != nil {
		t.Error(err)
	}
	fleettest.Put(t, store, "C")
	command(t, client, "DEL", name)
	command(t, client, "LPUSH", name, "a list")
	for _, err := range []error{fleettest.Update(t, store, "B"), store.Delete(t.Context(), fleettest.Key())} {
		if err == nil || !strings.Contains(err.Error(), "another Prefix") {
			t.Errorf("error %v", err)
		}
	}
}

// Nothing is left of updates but the tokens.
func TestStoreUpdate_LeavesNoLease(t *testing.T) {
	t.Parallel()
	client, config := shared.client(t), config()
	store := newStore(t, client, config)
	fleettest.Put(t, store, "A")
	failed := errors.New("no")
	if _, err := store.Update(t.Context(), fleettest.Key(), func(tokens.Set) (tokens.Set, error) { return tokens.Set{}, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if names, _ := command(t, client, "KEYS", config.Prefix+"*").([]any); len(names) != 1 {
		t.Errorf("keys %v", names)
	}
	if err := store.Delete(t.Context(), fleettest.Key()); err != nil {
		t.Error(err)
	}
	if names, _ := command(t, client, "KEYS", config.Prefix+"*").([]any); len(names) != 0 {
		t.Errorf("keys %v", names)
	}
}
