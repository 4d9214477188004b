package pgstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/tokens/pgstore"
)

// Errors that a test cannot easily cause in a server.
func TestExplain(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"53100": "disk of PostgreSQL is full", "53300": "max_connections", "28000": "pg_hba.conf", "42703": "another Config.Prefix", "57P03": "try again",
	} {
		err := pgstore.Explain(fmt.Errorf("x: %w", &pgconn.PgError{Code: code, Message: "message"}), "table")
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "message") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestNew_Config(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://127.0.0.1/db")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for prefix, valid := range map[string]bool{
		"": true, "portal": true, "schema.portal": true, `odd "name"`: true,
		".": false, "a.": false, ".a": false, "a.b.c": false, "a\x00": false, strings.Repeat("a", 41): false,
	} {
		_, storeErr := pgstore.New(pool, pgstore.Config{Prefix: prefix})
		_, sessionsErr := pgstore.NewSessions(pool, pgstore.Config{Prefix: prefix})
		_, schemaErr := pgstore.Schema(pgstore.Config{Prefix: prefix})
		if (storeErr == nil) != valid || (sessionsErr == nil) != valid || (schemaErr == nil) != valid {
			t.Errorf("%q: %v, %v, %v", prefix, storeErr, sessionsErr, schemaErr)
		}
	}
	if _, err := pgstore.New(nil, pgstore.Config{}); err == nil {
		t.Error("a nil pool was accepted")
	}
	if _, err := pgstore.NewSessions(nil, pgstore.Config{}); err == nil {
		t.Error("a nil pool was accepted")
	}
}
