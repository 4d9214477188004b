package redisstore_test

import (
	"log"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

// Share logins and web sessions between all replicas of a portal.
func Example() {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()

	store, err := redisstore.New(client, redisstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := redisstore.NewSessions(client, redisstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_ = app.Config{Store: store}
	_ = login.WebConfig{Sessions: sessions}
}
