//go:build interop

package pgstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

func aKey() tokens.Key { return tokens.Key{ClientID: "c"} }

func one(tb testing.TB, access string) tokens.Set {
	tb.Helper()
	set, err := tokens.NewSet(tokens.Token{AccessToken: access, ResourceServer: "rs"})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func to(set tokens.Set) func(tokens.Set) (tokens.Set, error) {
	return func(tokens.Set) (tokens.Set, error) { return set, nil }
}

func put(tb testing.TB, store tokens.Store, set tokens.Set) {
	tb.Helper()
	if _, err := store.Update(tb.Context(), aKey(), to(set)); err != nil {
		tb.Fatal(err)
	}
}

func holds(tb testing.TB, store tokens.Store, want tokens.Set) {
	tb.Helper()
	if got, err := store.Load(tb.Context(), aKey()); err != nil || !got.Equal(want) {
		tb.Errorf("holds %v, %v, want %v", got, err, want)
	}
}

// A connection that fails at any step, in any way, changes nothing for the caller.
func TestStore_ConnectionFails(t *testing.T) {
	t.Parallel()
	for step, text := range map[string]string{
		"load": "SELECT data FROM ", "acquire": "WITH taken", "extend": "held_until > '-infinity'",
		"commit": "SET data = $6", "erase": "RETURNING set_config", "release": "WITH created AS (DELETE",
	} {
		for _, fault := range fleettest.Faults() {
			t.Run(step+" "+fault, func(t *testing.T) {
				t.Parallel()
				_, config := shared.tables(t)
				proxy := fleettest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", shared.port))
				lease := testLease
				if step == "acquire" {
					lease = time.Minute // its own lease must not be in the way of the next attempt
				}
				store, err := pgstore.Open(newPool(t, shared.urlAt(proxy.Addr().Port, "postgres")), config, lease, time.Second)
				if err != nil {
					t.Fatal(err)
				}
				put(t, store, one(t, "A"))
				proxy.FailAt(text, fault)
				calls := 0
				got, err := store.Update(t.Context(), aKey(), func(current tokens.Set) (tokens.Set, error) {
					if calls++; !current.Equal(one(t, "A")) {
						t.Errorf("current is %v", current)
					}
					<-time.After(testLease)
					return one(t, "B"), nil
				})
				if err != nil || calls != 1 || !got.Equal(one(t, "B")) {
					t.Errorf("Update: %v, %v, %d calls", got, err, calls)
				}
				holds(t, store, one(t, "B"))
				put(t, store, one(t, "B")) // releases
				if err := store.Delete(t.Context(), aKey()); err != nil {
					t.Errorf("Delete: %v", err)
				}
				holds(t, store, tokens.Set{})
				if proxy.Failures() != 1 {
					t.Errorf("%d failures", proxy.Failures())
				}
			})
		}
	}
}

// While updates run, the store holds no connection: more run than there are connections.
func TestStoreUpdate_HoldsNoConnection(t *testing.T) {
	t.Parallel()
	_, config := shared.tables(t)
	store, err := pgstore.New(newPool(t, shared.url("postgres")+"&pool_max_conns=1"), config)
	if err != nil {
		t.Fatal(err)
	}
	const updates = 20
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error)
	for i := range updates {
		go func() {
			_, err := store.Update(t.Context(), tokens.Key{ClientID: "c", Namespace: fmt.Sprint(i)}, func(tokens.Set) (tokens.Set, error) {
				inside <- struct{}{}
				<-leave
				return one(t, "A"), nil
			})
			done <- err
		}()
	}
	for range updates {
		<-inside
	}
	holds(t, store, tokens.Set{})
	close(leave)
	for range updates {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func fleet(server *postgres, config pgstore.Config) fleettest.Fleet {
	const speed = 10 // tokens of two seconds
	return fleettest.Fleet{Open: openPlace, Place: config.Prefix + " " + server.url("postgres"), Speed: speed}
}

func TestFleet(t *testing.T) {
	t.Parallel()
	processes, goroutines, duration := fleettest.Processes(t, "PGSTORE_FLEET", "16 8 8")
	_, config := shared.tables(t)
	fleet(shared, config).Share(t, processes, goroutines, duration, nil)
}

func TestKill(t *testing.T) {
	t.Parallel()
	kills := fleettest.Kills(t, "PGSTORE_KILLS", 150)
	for _, grace := range []bool{true, false} {
		t.Run(fmt.Sprintf("grace=%v", grace), func(t *testing.T) {
			t.Parallel()
			_, config := shared.tables(t)
			fleet(shared, config).Kill(t, grace, kills)
		})
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	_, config := shared.tables(t)
	fleet(shared, config).Pause(t, testLease)
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
	fleet(server, config).Share(t, processes, goroutines, duration, func() {
		for end := time.Now().Add(duration - 3*time.Second); time.Now().Before(end); {
			<-time.After(1500 * time.Millisecond)
			server.kill()
			if err := server.start(); err != nil {
				t.Fatal(err)
			}
		}
	})
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
	put(t, store, one(t, "A"))
	execute(t, pool, "INSERT INTO others VALUES (1)")
	server.kill()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	holds(t, store, one(t, "A"))
	var left int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM others").Scan(&left); err != nil || left > 0 {
		t.Errorf("the crash lost nothing, so nothing was tested: %v", err)
	}
	if err := store.Delete(t.Context(), aKey()); err != nil {
		t.Fatal(err)
	}
	server.kill()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	holds(t, store, tokens.Set{})
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
			_, loadErr := store.Load(ctx, aKey())
			_, updateErr := store.Update(ctx, aKey(), func(current tokens.Set) (tokens.Set, error) {
				t.Error("fn was called")
				return current, nil
			})
			if (loadErr != nil) != test.load {
				t.Errorf("Load: %v", loadErr)
			}
			for _, err := range []error{loadErr, updateErr, store.Delete(ctx, aKey())} {
				if err == nil {
					continue
				}
				text := err.Error()
				if !strings.Contains(text, test.want) || strings.Contains(text, "\n") {
					t.Errorf("%q, want %q in one line", text, test.want)
				}
				encoded, _ := json.Marshal(err)
				if all := fmt.Sprintf("%v %+v %#v %s", err, err, errors.Unwrap(err), encoded); strings.Contains(all, password) {
					t.Errorf("the password is in %s", all)
				}
			}
			if updateErr == nil {
				t.Error("Update succeeded")
			}
			t.Log(updateErr)
		})
	}
}
