//go:build interop

package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

// A connection that fails at any step, in any way, changes nothing for the caller.
func TestStore_ConnectionFails(t *testing.T) {
	t.Parallel()
	fleettest.ConnectionFails(t, fmt.Sprintf("127.0.0.1:%d", shared.port), map[string]string{
		"load": "SELECT data FROM ", "acquire": "WITH taken", "extend": "held_until > '-infinity'",
		"commit": "SET data = $6", "erase": "RETURNING set_config", "release": "WITH created AS (DELETE",
	}, func(t *testing.T, address *net.TCPAddr, lease time.Duration) tokens.Store {
		t.Helper()
		_, config := shared.tables(t)
		store, err := pgstore.Open(newPool(t, shared.urlAt(address.Port, "postgres")), config, lease, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func TestStoreUpdate_HoldsNoConnection(t *testing.T) {
	t.Parallel()
	_, config := shared.tables(t)
	fleettest.HoldsNoConnection(t, newStore(t, newPool(t, shared.url("postgres")+"&pool_max_conns=1"), config))
}

// What a slow service returned is stored at once: no ping comes before, as pgxpool sends it where a connection was
// idle for a second.
func TestStoreUpdate_CommitsAtOnce(t *testing.T) {
	t.Parallel()
	proxy := fleettest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", shared.port))
	_, config := shared.tables(t)
	store := newStore(t, newPool(t, shared.urlAt(proxy.Addr().Port, "postgres")), config)
	proxy.FailAt("-- ping", "request cut")
	if _, err := store.Update(t.Context(), fleettest.Key(), func(tokens.Set) (tokens.Set, error) {
		<-time.After(1300 * time.Millisecond)
		return fleettest.One(t, "A"), nil
	}); err != nil || proxy.Failures() > 0 {
		t.Errorf("%v, %d pings", err, proxy.Failures())
	}
}

// A database that does not write each change to disk at once does so for the results of updates.
func TestStoreUpdate_DurableByItself(t *testing.T) {
	t.Parallel()
	server, err := newPostgres(t.TempDir(), "synchronous_commit=off", "wal_writer_delay=10s", "wal_writer_flush_after=1GB")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.stop() })
	pool, config := server.tables(t)
	store, err := pgstore.New(pool, config)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, pool, "CREATE TABLE others (x int); CHECKPOINT")
	fleettest.Put(t, store, "A")
	execute(t, pool, "INSERT INTO others VALUES (1)")
	server.kill()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	fleettest.Holds(t, store, "A")
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM others").Scan(&left); err != nil || left > 0 {
		t.Errorf("the crash lost nothing, so nothing was tested: %v", err)
	}
	if err := store.Delete(t.Context(), fleettest.Key()); err != nil {
		t.Fatal(err)
	}
	server.kill()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	fleettest.Holds(t, store, "")
}

func TestStore_Errors(t *testing.T) {
	t.Parallel()
	pool, config := shared.tables(t)
	name := func(kind string) string { return config.Prefix + kind }
	execute(t, pool, fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s'`, name("poor"), password))
	for _, role := range []string{name("reader"), name("hurried")} {
		execute(t, pool, fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s'; GRANT SELECT, INSERT, UPDATE, DELETE ON %[3]s_tokens TO %[1]s`,
			role, password, config.Prefix))
	}
	execute(t, pool, `ALTER ROLE `+name("reader")+` SET default_transaction_read_only = on`)
	execute(t, pool, `ALTER ROLE `+name("hurried")+` SET statement_timeout = '20ms'`)
	unused, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	for problem, test := range map[string]struct {
		url    string
		prefix string
		load   bool // fails too
		want   string
	}{
		"no server":      {shared.urlAt(unused, "postgres"), config.Prefix, true, "is it running"},
		"wrong password": {strings.Replace(shared.url("postgres"), password, password+"-WRONG", 1), config.Prefix, true, "refused the user or the password"},
		"no database":    {strings.Replace(shared.url("postgres"), "/postgres?", "/nowhere?", 1), config.Prefix, true, "database does not exist"},
		"no TLS":         {strings.Replace(shared.url("postgres"), "sslmode=disable", "sslmode=require", 1), config.Prefix, true, "does not offer TLS"},
		"no table":       {shared.url("postgres"), "missing", true, "pgstore.Migrate"},
		"no rights":      {shared.url(name("poor")), config.Prefix, true, "GRANT SELECT, INSERT, UPDATE, DELETE"},
		"read-only":      {shared.url(name("reader")), config.Prefix, false, "connect to the primary"},
		"time limit":     {shared.url(name("hurried")), config.Prefix, false, "statement_timeout"},
	} {
		t.Run(problem, func(t *testing.T) {
			t.Parallel()
			store, err := pgstore.New(newPool(t, test.url), pgstore.Config{Prefix: test.prefix})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if problem == "time limit" {
				tx, err := pool.Begin(ctx)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = tx.Rollback(context.Background()) }()
				if _, err := tx.Exec(ctx, `LOCK TABLE `+config.Prefix+`_tokens IN EXCLUSIVE MODE`); err != nil {
					t.Fatal(err)
				}
			}
			fleettest.Refused(t, store, test.want, password)
			_, err = store.Load(ctx, fleettest.Key())
			if failed, ok := errors.AsType[*pgconn.ConnectError](err); (err != nil) != test.load || ok {
				t.Errorf("Load: %v, with the connection's configuration: %t", err, failed != nil)
			}
		})
	}
}
