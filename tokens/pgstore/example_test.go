package pgstore_test

import (
	"context"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens/pgstore"
)

// Share logins and web sessions between all replicas of a portal.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	// Once, by a role that may create tables.
	if err := pgstore.Migrate(ctx, pool, pgstore.Config{}); err != nil {
		log.Fatal(err)
	}

	store, err := pgstore.New(pool, pgstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := pgstore.NewSessions(pool, pgstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_ = app.Config{Store: store}
	_ = login.WebConfig{Sessions: sessions}
}
