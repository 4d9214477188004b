//go:build interop && linux

package pgstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
)

// With a full disk, an update is refused before it begins. One that began before the disk was full
// is stored when there is space again.
func TestStore_DiskFull(t *testing.T) {
	t.Parallel()
	disk := fleettest.SmallDisk(t, "1m")
	if err := own(disk); err != nil {
		t.Fatal(err)
	}
	server, err := newPostgres(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.stop() })
	pool, config := server.tables(t)
	execute(t, pool, "CREATE TABLESPACE small LOCATION '"+disk+"'")
	execute(t, pool, "ALTER TABLE "+config.Prefix+"_tokens SET TABLESPACE small")
	fill := func() {
		execute(t, pool, "CREATE TABLE filler (data text) TABLESPACE small")
		for full := false; !full; {
			_, err := pool.Exec(t.Context(), "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 8)")
			if full = err != nil; full && !strings.Contains(err.Error(), "53100") {
				t.Fatal(err)
			}
		}
	}
	store := newStore(t, pool, config)
	large := func(first string) string { // more than a page has left, and not to be compressed away
		text := first
		for i := range 3000 {
			text += fmt.Sprintf("%x", i*i*2654435761)
		}
		return text
	}
	fleettest.Put(t, store, large("A"))

	_, err = store.Update(t.Context(), fleettest.Key(), func(tokens.Set) (tokens.Set, error) {
		fill()
		go func() {
			<-time.After(time.Second)
			_, _ = pool.Exec(t.Context(), "DROP TABLE filler")
		}()
		return fleettest.One(t, large("B")), nil
	})
	if err != nil {
		t.Errorf("an update while there is no space for a second: %v", err)
	}
	fleettest.Holds(t, store, large("B"))

	// Rows until no page has space for one more.
	fill()
	for _, size := range []int{1500, 100, 0} {
		for full := false; !full; {
			_, err := pool.Exec(t.Context(), fmt.Sprintf(
				"INSERT INTO %s_tokens SELECT 'f', '', '', gen_random_uuid(), convert_to(repeat('x', %d), 'UTF8'), '', '-infinity'", config.Prefix, size))
			full = err != nil
		}
	}
	_, refused := store.Update(t.Context(), tokens.Key{ClientID: "c", Namespace: strings.Repeat("n", 100)}, func(current tokens.Set) (tokens.Set, error) {
		t.Error("an update began although there was no space")
		return current, nil
	})
	if refused == nil || !strings.Contains(refused.Error(), "the disk of PostgreSQL is full: free space on it") {
		t.Error(refused)
	}
	fleettest.Holds(t, store, large("B"))
	execute(t, pool, "DROP TABLE filler")
	fleettest.Put(t, store, "C")
	fleettest.Holds(t, store, "C")
}
