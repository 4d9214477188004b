package redisstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

const defaultPrefix = "globusauth:"

// Config configures a [Store], [Sessions] or a [Cache]. The zero value is ready.
type Config struct {
	// Prefix begins every key in Redis: ASCII letters, digits and ":._-/". Empty means
	// "globusauth:". Programs with different prefixes share nothing.
	Prefix string

	// Those of package lease, where they are zero.
	lease, timeout time.Duration
}

func (c Config) check(client redis.UniversalClient) (Config, error) {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if !regexp.MustCompile(`^[A-Za-z0-9:._/-]*$`).MatchString(c.Prefix) {
		return c, fmt.Errorf("the Prefix %q has characters other than ASCII letters, digits and \":._-/\"", c.Prefix)
	}
	limited := false
	switch client := client.(type) {
	case nil:
		return c, errors.New("the client is nil: create one with redis.NewUniversalClient")
	case *redis.Client:
		limited = client.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		limited = client.Options().ContextTimeoutEnabled
		if client.Options().ReadOnly {
			return c, errors.New("the client reads from replicas, which lag behind: leave ReadOnly, RouteByLatency and RouteRandomly unset in its options")
		}
	default:
		return c, fmt.Errorf("a client of type %T is not supported: use a redis.Client or a redis.ClusterClient", client)
	}
	if !limited {
		return c, errors.New("the client ignores deadlines: set ContextTimeoutEnabled in its options")
	}
	return c, nil
}

// Store is a [tokens.Store] on Redis. It is safe for concurrent use, also by several
// machines, and holds no connection between calls or while an update runs.
type Store struct{ shared *lease.Store }

var _ tokens.Store = (*Store)(nil)

// New checks the configuration. It sends nothing.
func New(client redis.UniversalClient, config Config) (_ *Store, err error) {
	defer prefix.Add(&err, "redisstore: new")
	if config, err = config.check(client); err != nil {
		return nil, err
	}
	return &Store{lease.New(lease.Kind{Package: "redisstore", Backend: &backend{client, config.Prefix}, Lease: config.lease, Timeout: config.timeout})}, nil
}

// Load returns what is stored under key. See [tokens.Store].
func (s *Store) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	return s.shared.Load(ctx, key)
}

// Update replaces what is stored under key by what fn makes of it. See [tokens.Store]. It waits
// for other updates for 30 seconds at most, then it returns [tokens.ErrLocked].
func (s *Store) Update(ctx context.Context, key tokens.Key, fn func(current tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	return s.shared.Update(ctx, key, fn)
}

// Delete removes what is stored under key, also what cannot be read. See [tokens.Store].
func (s *Store) Delete(ctx context.Context, key tokens.Key) error { return s.shared.Delete(ctx, key) }

// Keys returns the keys under which something is stored. See [tokens.Store]. It scans the whole database.
func (s *Store) Keys(ctx context.Context) ([]tokens.Key, error) { return s.shared.Keys(ctx) }
