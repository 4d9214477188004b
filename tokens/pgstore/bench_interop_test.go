//go:build interop

package pgstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

const benchLogins = 10_000

// benchSet is a login of a portal: three tokens of usual length.
func benchSet(tb testing.TB) tokens.Set {
	tb.Helper()
	var list []tokens.Token
	for _, server := range []string{"auth.globus.org", "transfer.api.globus.org", "groups.api.globus.org"} {
		list = append(list, tokens.Token{
			AccessToken: strings.Repeat("a", 90), RefreshToken: strings.Repeat("r", 90), ResourceServer: server, TokenType: "Bearer",
			Scope: "urn:globus:auth:scope:" + server + ":all", Expiry: time.Unix(1700000000, 0), Lifetime: 48 * time.Hour,
		})
	}
	set, err := tokens.NewSet(list...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// bare sends the statements of the store in a loop of pgx alone.
type bare struct {
	pool                *pgxpool.Pool
	load, acquire, save string
	data                []byte
}

func (b bare) values(i int, more ...any) []any {
	return append([]any{pgx.QueryExecModeExec, "c", "production", "", fmt.Sprint("n", i)}, more...)
}

func (b bare) Load(ctx context.Context, i int) error {
	var data []byte
	return b.pool.QueryRow(ctx, b.load, b.values(i)...).Scan(&data)
}

func (b bare) Update(ctx context.Context, i int) error {
	var data []byte
	if err := b.pool.QueryRow(ctx, b.acquire, b.values(i, "version", 15.0)...).Scan(&data); err != nil {
		return err
	}
	_, err := b.pool.Exec(ctx, b.save, b.values(i, "version", b.data)...)
	return err
}

// counter counts the statements that pgx sends.
type counter struct{ statements atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.statements.Add(1)
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// counting returns how many statements a call of work on a store sends.
func counting(b *testing.B, pool *pgxpool.Pool, config pgstore.Config, work func(*pgstore.Store) error) float64 {
	b.Helper()
	sent := &counter{}
	traced := pool.Config()
	traced.ConnConfig.Tracer = sent
	counted, err := pgxpool.NewWithConfig(b.Context(), traced)
	if err != nil {
		b.Fatal(err)
	}
	defer counted.Close()
	store, err := pgstore.New(counted, config)
	if err != nil {
		b.Fatal(err)
	}
	if err := work(store); err != nil {
		b.Fatal(err)
	}
	return float64(sent.statements.Load())
}

// BenchmarkStore loads and changes one of 10,000 logins in a PostgreSQL on the same machine, compared with a bare pgx loop
// that sends the same statements (floor): the one of Load, and the two of Update, each flushed to disk. The limit of the
// table is 1.3 times one with nothing but keys and data.
func BenchmarkStore(b *testing.B) {
	pool, config := shared.tables(b)
	store, err := pgstore.New(pool, config)
	if err != nil {
		b.Fatal(err)
	}
	set := benchSet(b)
	data, err := set.MarshalStorage()
	if err != nil {
		b.Fatal(err)
	}
	_, err = pool.Exec(b.Context(), fmt.Sprintf(
		`INSERT INTO %s_tokens SELECT 'c', 'production', '', 'n' || i, $1, 'v', '-infinity' FROM generate_series(0, %d) i`,
		config.Prefix, benchLogins-1), data)
	if err != nil {
		b.Fatal(err)
	}
	execute(b, pool, "ANALYZE "+config.Prefix+"_tokens")
	execute(b, pool, fmt.Sprintf(`
		CREATE TABLE %[1]s_floor AS SELECT client_id, environment, address, namespace, data FROM %[1]s_tokens;
		ALTER TABLE %[1]s_floor ADD PRIMARY KEY (client_id, environment, address, namespace)`, config.Prefix))
	size := func(table string) (bytes float64) {
		if err := pool.QueryRow(b.Context(), `SELECT pg_total_relation_size($1::text::regclass)`, config.Prefix+table).Scan(&bytes); err != nil {
			b.Fatal(err)
		}
		return bytes / benchLogins
	}
	statements := pgstore.Statements(store, newSessions(b, pool, config))
	floor := bare{pool, statements[0], statements[1], statements[3], data}
	key := func(i int) tokens.Key { return tokens.Key{ClientID: "c", Namespace: fmt.Sprint("n", i)} }
	other := set.Without("groups.api.globus.org")
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	next := func() int {
		n = (n + 7) % benchLogins
		return n
	}
	b.Run("Load", func(b *testing.B) {
		bench.Wall(b, bench.Case{Name: "floor", Run: func() { check(floor.Load(b.Context(), next())) }},
			bench.Case{Name: "pgstore", Limit: 1.3, Run: func() {
				_, err := store.Load(b.Context(), key(next()))
				check(err)
			}})
		bench.Report(b, size("_tokens"), "table-B/login", 1.3*size("_floor"))
		bench.Report(b, counting(b, pool, config, func(s *pgstore.Store) error {
			_, err := s.Load(b.Context(), key(0))
			return err
		}), "statements/op", 1)
	})
	b.Run("Update", func(b *testing.B) {
		bench.Wall(b, bench.Case{Name: "floor", Run: func() { check(floor.Update(b.Context(), next())) }},
			bench.Case{Name: "pgstore", Limit: 1.3, Run: func() {
				_, err := store.Update(b.Context(), key(next()), func(current tokens.Set) (tokens.Set, error) {
					if current.Equal(set) {
						return other, nil
					}
					return set, nil
				})
				check(err)
			}})
		bench.Report(b, counting(b, pool, config, func(s *pgstore.Store) error {
			_, err := s.Update(b.Context(), key(0), func(current tokens.Set) (tokens.Set, error) { return current.Without("groups.api.globus.org"), nil })
			return err
		}), "statements/op", 2)
	})
}
