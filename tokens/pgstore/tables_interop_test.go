//go:build interop

package pgstore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

// Several replicas that start at once all migrate.
func TestMigrate_AtOnce(t *testing.T) {
	t.Parallel()
	pool := shared.pool(t, "postgres")
	for range 3 {
		config := pgstore.Config{Prefix: fmt.Sprintf("m%d", prefixes.Add(1))}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := pgstore.Migrate(t.Context(), pool, config); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// A role that may create nothing works with tables that an administrator created.
func TestMigrate_RoleWithoutCreate(t *testing.T) {
	t.Parallel()
	admin := shared.pool(t, "postgres")
	role := fmt.Sprintf("role%d", prefixes.Add(1))
	config := pgstore.Config{Prefix: role + `.Odd "name"`}
	execute(t, admin, fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s'; CREATE SCHEMA %[1]s; GRANT USAGE ON SCHEMA %[1]s TO %[1]s`, role, password))
	pool := shared.pool(t, role)
	if err := pgstore.Migrate(t.Context(), pool, config); err == nil || !strings.Contains(err.Error(), "only pgstore.Migrate needs CREATE") {
		t.Errorf("Migrate without tables and rights: %v", err)
	}
	statements, err := pgstore.Schema(config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		execute(t, admin, statements)
	}
	execute(t, admin, fmt.Sprintf(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[1]s`, role))
	if err := pgstore.Migrate(t.Context(), pool, config); err != nil {
		t.Errorf("Migrate with tables: %v", err)
	}
	store, err := pgstore.New(pool, config)
	if err != nil {
		t.Fatal(err)
	}
	fleettest.Put(t, store, "A")
	fleettest.Holds(t, store, "A")
	if err := store.Delete(t.Context(), fleettest.Key()); err != nil {
		t.Error(err)
	}
	sessions := newSessions(t, pool, config)
	if added, err := sessions.Add(t.Context(), "k", []byte("x"), time.Now().Add(time.Hour)); err != nil || !added {
		t.Error(added, err)
	}
	if data, err := sessions.Take(t.Context(), "k"); string(data) != "x" || err != nil {
		t.Error(data, err)
	}
}

// No statement for one key or session grows with the table.
func TestStatements_UseIndexes(t *testing.T) {
	t.Parallel()
	pool, config := shared.tables(t)
	execute(t, pool, fmt.Sprintf(`
		INSERT INTO %[1]s_tokens SELECT 'c', 'production', '', 'n' || i, 'data', 'v', '-infinity' FROM generate_series(1, 10000) i;
		INSERT INTO %[1]s_sessions SELECT 'k' || i, 'data', now() + i * interval '1 minute' FROM generate_series(-100, 10000) i`, config.Prefix))
	execute(t, pool, fmt.Sprintf(`ANALYZE %[1]s_tokens`, config.Prefix))
	execute(t, pool, fmt.Sprintf(`ANALYZE %[1]s_sessions`, config.Prefix))
	store, err := pgstore.New(pool, config)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range pgstore.Statements(store, newSessions(t, pool, config)) {
		third := "''"
		if strings.Contains(statement, "_sessions") {
			third = "now()"
		}
		statement = strings.NewReplacer("secs => $6", "secs => 1", "$1", "'c'", "$2", "'production'", "$3", third,
			"$4", "'n7'", "$5", "'v'", "$6", "'x'").Replace(statement)
		rows, err := pool.Query(t.Context(), "EXPLAIN (COSTS OFF) "+statement)
		if err != nil {
			t.Fatal(err)
		}
		plan := ""
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan += line + "\n"
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
		if strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "Index") {
			t.Errorf("%s\n%s", statement, plan)
		}
	}
}
