//go:build interop

package pgstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens/internal/fleettest"
)

// The primary is killed while a fleet refreshes, and its standby promoted. With a
// synchronous standby no login is lost. PGSTORE_ASYNC=1 shows what another loses.
func TestFleet_StandbyPromoted(t *testing.T) {
	t.Parallel()
	primary, err := newPostgres(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { primary.stop() })
	pool, config := primary.tables(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := own(data); err != nil {
		t.Fatal(err)
	}
	backup, err := command(t.Context(), "pg_basebackup", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(primary.port),
		"-U", "postgres", "-R", "-c", "fast", "--no-sync")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := backup.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	standby, err := startPostgres(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.stop() })
	if os.Getenv("PGSTORE_ASYNC") == "" {
		execute(t, pool, "ALTER SYSTEM SET synchronous_standby_names = '*'")
		execute(t, pool, "SELECT pg_reload_conf()")
	}
	fleettest.Put(t, newStore(t, pool, config), "A")
	reader := newStore(t, standby.pool(t, "postgres"), config)
	for replayed := false; !replayed; {
		set, err := reader.Load(t.Context(), fleettest.Key())
		replayed = err == nil && set.Equal(fleettest.One(t, "A"))
	}
	fleettest.Refused(t, reader, "connect to the primary, with target_session_attrs=read-write", password)
	url := fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write",
		password, primary.port, standby.port)
	const speed = 40 // tokens of half a second
	processes, goroutines, duration := fleettest.Processes(t, "PGSTORE_STANDBY", "8 4 8")
	fleettest.Fleet{Open: openPlace, Kind: outageLease.String(), Place: config.Prefix + " " + url, Speed: speed}.Share(t, processes, goroutines, duration, func() {
		<-time.After(3 * time.Second)
		primary.kill()
		if _, err := standby.pool(t, "postgres").Exec(t.Context(), "SELECT pg_promote()"); err != nil {
			t.Error(err)
		}
	})
}
