//go:build interop

package pgstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
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

// BenchmarkStore is the price of a login among 10,000, in turns with a bare loop that sends the same statements.
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
	var size float64
	if err := pool.QueryRow(b.Context(), `SELECT pg_total_relation_size($1::text::regclass)`, config.Prefix+"_tokens").Scan(&size); err != nil {
		b.Fatal(err)
	}
	statements := pgstore.Statements(store, newSessions(b, pool, config))
	floor := bare{pool, statements[0], statements[1], statements[3], data}
	key := func(i int) tokens.Key { return tokens.Key{ClientID: "c", Namespace: fmt.Sprint("n", i)} }
	other := set.Without("groups.api.globus.org")
	for name, pair := range map[string][2]func(i int) error{
		"Load": {
			func(i int) error { return floor.Load(b.Context(), i) },
			func(i int) error {
				_, err := store.Load(b.Context(), key(i))
				return err
			},
		},
		"Update": {
			func(i int) error { return floor.Update(b.Context(), i) },
			func(i int) error {
				_, err := store.Update(b.Context(), key(i), func(current tokens.Set) (tokens.Set, error) {
					if current.Equal(set) {
						return other, nil
					}
					return set, nil
				})
				return err
			},
		},
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			work := func(which int) {
				if err := pair[which](n % benchLogins); err != nil {
					b.Fatal(err)
				}
			}
			fleettest.Turns(b, func() { n += 7; work(0) }, func() { work(1) })
			b.ReportMetric(size/benchLogins, "table-B/login")
		})
	}
}
