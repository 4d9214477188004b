//go:build interop

package redisstore_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

func newSessions(tb testing.TB, config redisstore.Config) login.Sessions {
	tb.Helper()
	sessions, err := redisstore.NewSessions(shared.client(tb), config)
	if err != nil {
		tb.Fatal(err)
	}
	return sessions
}

func TestSessions(t *testing.T) {
	t.Parallel()
	config := config()
	a, b := newSessions(t, config), newSessions(t, config)
	add := func(key string, data []byte, lasts time.Duration) bool {
		added, err := a.Add(t.Context(), key, data, time.Now().Add(lasts))
		if err != nil {
			t.Fatal(err)
		}
		return added
	}
	got := func(data []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if data := got(b.Get(t.Context(), "k")); data != nil {
		t.Errorf("Get of nothing: %q", data)
	}
	data := []byte("bytes \x00\xff\r\n")
	if !add("k", data, time.Hour) || add("k", []byte("other"), time.Hour) {
		t.Error("Add does not add once")
	}
	if first, second, third := got(b.Get(t.Context(), "k")), got(b.Take(t.Context(), "k")), got(a.Take(t.Context(), "k")); !bytes.Equal(first, data) || !bytes.Equal(second, data) || third != nil {
		t.Errorf("Get, Take and Take: %q, %q, %q", first, second, third)
	}
	if !add("empty", nil, time.Hour) || got(b.Get(t.Context(), "empty")) == nil {
		t.Error("an empty session is nothing")
	}
	add("short", data, 50*time.Millisecond)
	time.Sleep(60 * time.Millisecond)
	if data := got(b.Get(t.Context(), "short")); data != nil || !add("short", nil, time.Hour) {
		t.Errorf("an expired session: %q", data)
	}
	if add("past", data, -time.Hour); got(b.Get(t.Context(), "past")) != nil {
		t.Error("a session that had expired is found")
	}
}

// Of several callers at once, one adds, and one takes.
func TestSessions_AtOnce(t *testing.T) {
	t.Parallel()
	config := config()
	replicas := []login.Sessions{newSessions(t, config), newSessions(t, config)}
	for round := range 20 {
		key := fmt.Sprint(round)
		var added, taken atomic.Int32
		for _, work := range []func(login.Sessions) error{
			func(s login.Sessions) error {
				ok, err := s.Add(t.Context(), key, []byte("data"), time.Now().Add(time.Hour))
				if ok {
					added.Add(1)
				}
				return err
			},
			func(s login.Sessions) error {
				data, err := s.Take(t.Context(), key)
				if data != nil {
					taken.Add(1)
				}
				return err
			},
		} {
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					if err := work(replicas[i%2]); err != nil {
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
