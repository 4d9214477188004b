//go:build interop

package pgstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

var _ login.Sessions = (*pgstore.Sessions)(nil)

func newSessions(tb testing.TB, pool *pgxpool.Pool, config pgstore.Config) *pgstore.Sessions {
	tb.Helper()
	sessions, err := pgstore.NewSessions(pool, config)
	if err != nil {
		tb.Fatal(err)
	}
	return sessions
}

func TestSessions_Expiry(t *testing.T) {
	t.Parallel()
	pool, config := shared.tables(t)
	sessions := newSessions(t, pool, config)
	past := time.Now().Add(-time.Second)
	const expired = 40
	for i := range expired {
		execute(t, pool, fmt.Sprintf(`INSERT INTO %s_sessions VALUES ('old%d', '', now() - interval '1 hour')`, config.Prefix, i))
	}
	if data, err := sessions.Get(t.Context(), "old1"); data != nil || err != nil {
		t.Errorf("Get: %q, %v", data, err)
	}
	if data, err := sessions.Take(t.Context(), "old1"); data != nil || err != nil {
		t.Errorf("Take: %q, %v", data, err)
	}
	if added, err := sessions.Add(t.Context(), "old1", []byte("new"), time.Now().Add(time.Hour)); !added || err != nil {
		t.Errorf("Add over an expired one: %v, %v", added, err)
	}
	for i := range 2 * expired {
		if added, err := sessions.Add(t.Context(), fmt.Sprint("k", i), nil, past); !added || err != nil {
			t.Fatal(added, err)
		}
	}
	var left int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM `+config.Prefix+`_sessions WHERE key <> 'old1'`).Scan(&left); err != nil || left > 2 {
		t.Errorf("%d expired sessions are left, %v", left, err)
	}
	if data, err := sessions.Get(t.Context(), "old1"); string(data) != "new" || err != nil {
		t.Errorf("Get: %q, %v", data, err)
	}
}

func TestSessions_Errors(t *testing.T) {
	t.Parallel()
	sessions := newSessions(t, newPool(t, strings.Replace(shared.url("postgres"), password, password+"-WRONG", 1)), pgstore.Config{})
	_, getErr := sessions.Get(t.Context(), "k")
	_, takeErr := sessions.Take(t.Context(), "k")
	_, addErr := sessions.Add(t.Context(), "k", nil, time.Now())
	for _, err := range []error{getErr, takeErr, addErr} {
		if err == nil || !strings.Contains(err.Error(), "refused the user or the password") || strings.Contains(err.Error(), password) {
			t.Error(err)
		}
	}
}
