//go:build interop

package pgstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/pgstore"
	"github.com/globusauth/globusauth/tokens/sealed"
	"github.com/globusauth/globusauth/tokens/storetest"
)

func newStore(tb testing.TB, pool *pgxpool.Pool, config pgstore.Config) *pgstore.Store {
	tb.Helper()
	store, err := pgstore.New(pool, config)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// fleet shares a login at a database. Tokens last two seconds.
func fleet(lease time.Duration, url string, config pgstore.Config) fleettest.Fleet {
	return fleettest.Fleet{Open: openPlace, Kind: lease.String(), Place: config.Prefix + " " + url, Speed: 10}
}

// promises are what a database keeps, however it is reached.
func promises(t *testing.T, url, variable, size string) {
	t.Helper()
	tables := func(t *testing.T) (*pgxpool.Pool, pgstore.Config) {
		t.Helper()
		pool, config := newPool(t, url), pgstore.Config{Prefix: fmt.Sprintf("p%d", prefixes.Add(1))}
		if err := pgstore.Migrate(t.Context(), pool, config); err != nil {
			t.Fatal(err)
		}
		return pool, config
	}
	storetest.Run(t, func(t *testing.T) (a, b tokens.Store) {
		t.Helper()
		pool, config := tables(t)
		return newStore(t, pool, config), newStore(t, newPool(t, url), config)
	})
	t.Run("sessions", func(t *testing.T) {
		t.Parallel()
		pool, config := tables(t)
		fleettest.Sessions(t, newSessions(t, pool, config), newSessions(t, newPool(t, url), config))
	})
	t.Run("sealed", func(t *testing.T) {
		t.Parallel()
		_, config := tables(t)
		fleettest.Sealed(t, func(t *testing.T) (tokens.Store, sealed.SessionStore) {
			t.Helper()
			pool := newPool(t, url)
			return newStore(t, pool, config), newSessions(t, pool, config)
		})
	})
	t.Run("fleet", func(t *testing.T) {
		t.Parallel()
		processes, goroutines, duration := fleettest.Processes(t, variable, size)
		_, config := tables(t)
		fleet(0, url, config).Share(t, processes, goroutines, duration, nil)
	})
	t.Run("paused process", func(t *testing.T) {
		t.Parallel()
		_, config := tables(t)
		fleet(testLease, url, config).Pause(t, testLease)
	})
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	promises(t, shared.url("postgres"), "PGSTORE_FLEET", "16 8 8")
}

// PgBouncer in transaction mode lends two connections to the statements of all processes.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	promises(t, shared.urlAt(pgBouncer(t, shared), "postgres"), "PGSTORE_BOUNCER", "8 8 5")
}

func TestKill(t *testing.T) {
	t.Parallel()
	kills := fleettest.Kills(t, "PGSTORE_KILLS", 50)
	for _, kind := range []string{"grace", "no grace", "floor"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			_, config := shared.tables(t)
			fleet := fleet(testLease, shared.url("postgres"), config)
			if kind == "floor" {
				fleet.Kind = kind
			}
			fleet.Kill(t, kind == "grace", kills)
		})
	}
}

// The server is killed and started again while a fleet refreshes: no login is lost.
func TestFleet_ServerKilled(t *testing.T) {
	t.Parallel()
	server, err := newPostgres(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.stop() })
	_, config := server.tables(t)
	processes, goroutines, duration := fleettest.Processes(t, "PGSTORE_RESTARTS", "8 4 9")
	fleet(outageLease, server.url("postgres"), config).Share(t, processes, goroutines, duration, func() {
		for end := time.Now().Add(duration - 3*time.Second); time.Now().Before(end); {
			<-time.After(1500 * time.Millisecond)
			server.kill()
			if err := server.start(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
