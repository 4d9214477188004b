//go:build interop && linux

package redisstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
)

// An update that began before the disk was full is stored when there is space again. With "everysec", the server refuses
// updates meanwhile; with "always", it ends, and has what it stored when it is started again.
func TestStore_DiskFull(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"everysec", "always"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			disk := fleettest.SmallDisk(t, "4m")
			s, err := newServer(disk, "redis-server", "--appendfsync", policy)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.kill() })
			filler := filepath.Join(disk, "filler")
			fill := func() {
				if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
					t.Error(err)
				}
			}
			large := func(text string) string { return strings.Repeat(text, 50_000) } // more than a page has left
			store := newStore(t, s.client(t), config())
			fleettest.Put(t, store, large("A"))

			freed := make(chan error, 1)
			_, err = store.Update(t.Context(), fleettest.Key(), func(tokens.Set) (tokens.Set, error) {
				fill()
				go func() {
					time.Sleep(time.Second)
					err := os.Remove(filler)
					if policy == "always" {
						s.kill()
						err = errors.Join(err, s.start())
					}
					freed <- err
				}()
				return fleettest.One(t, large("B")), nil
			})
			if err := errors.Join(err, <-freed); err != nil {
				t.Errorf("an update while there is no space for a second: %v", err)
			}
			fleettest.Holds(t, store, large("B"))
			if policy == "always" {
				return
			}

			fill()
			eventually(t, "the server notices", func() bool {
				return redis.HasErrorPrefix(s.client(t).Set(t.Context(), "other", large("x"), 0).Err(), "MISCONF")
			})
			fleettest.Refused(t, store, "cannot write to its disk", password)
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the store can be used again", func() bool { return fleettest.Update(t, store, "C") == nil })
			fleettest.Holds(t, store, "C")
		})
	}
}
