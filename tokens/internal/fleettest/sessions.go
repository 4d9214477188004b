package fleettest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens/sealed"
)

// Sessions tests two stores that share their sessions.
func Sessions(t *testing.T, a, b sealed.SessionStore) {
	t.Helper()
	hour := time.Now().Add(time.Hour)
	add := func(store sealed.SessionStore, key string, data []byte, expiry time.Time, want bool) {
		t.Helper()
		if added, err := store.Add(t.Context(), key, data, expiry); added != want || err != nil {
			t.Errorf("Add of %q: %v, %v; want %v", key, added, err, want)
		}
	}
	find := func(how func(context.Context, string) ([]byte, error), key string, want []byte) {
		t.Helper()
		if data, err := how(t.Context(), key); (data == nil) != (want == nil) || !bytes.Equal(data, want) || err != nil {
			t.Errorf("%q has %q, %v; want %q", key, data, err, want)
		}
	}
	data := []byte("bytes \x00\xff\r\n")
	find(a.Get, "k", nil)
	find(a.Take, "k", nil)
	add(a, "k", data, hour, true)
	add(b, "k", []byte("other"), hour, false)
	add(a, "k", data, hour, false) // also with the same data
	find(b.Get, "k", data)
	find(b.Take, "k", data)
	find(a.Get, "k", nil)
	find(a.Take, "k", nil)
	add(b, "k", []byte("again"), hour, true)
	find(a.Take, "k", []byte("again"))
	add(a, "empty", nil, hour, true)
	find(b.Get, "empty", []byte{})
	find(b.Take, "empty", []byte{})
	for _, key := range []string{"{", "}{x}", "{}", "ключ \n"} {
		add(a, key, []byte(key), hour, true)
		find(b.Take, key, []byte(key))
	}
	add(a, "past", data, time.Now().Add(-time.Hour), true)
	find(b.Get, "past", nil)
	find(b.Take, "past", nil)
	add(a, "short", data, time.Now().Add(50*time.Millisecond), true)
	wait(60 * time.Millisecond)
	find(b.Get, "short", nil)
	find(b.Take, "short", nil)
	add(b, "short", nil, hour, true)
	sessionsAtOnce(t, a, b)
}

// sessionsAtOnce checks that of several callers at once one adds, and one takes.
func sessionsAtOnce(t *testing.T, stores ...sealed.SessionStore) {
	t.Helper()
	for round := range 10 {
		key := fmt.Sprint("round ", round)
		var added, taken atomic.Int32
		for _, work := range []func(sealed.SessionStore) error{
			func(s sealed.SessionStore) error {
				ok, err := s.Add(t.Context(), key, []byte("data"), time.Now().Add(time.Hour))
				if ok {
					added.Add(1)
				}
				return err
			},
			func(s sealed.SessionStore) error {
				data, err := s.Take(t.Context(), key)
				if data != nil {
					taken.Add(1)
				}
				return err
			},
		} {
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					if err := work(stores[i%len(stores)]); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		if added.Load() != 1 || taken.Load() != 1 {
			t.Errorf("%d added, %d took", added.Load(), taken.Load())
		}
	}
}
