package identitymap

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2/stats"

	"github.com/globusauth/globusauth"
)

// What nobody can mean seriously, and what would overflow.
const (
	maxBatchSize   = 1000
	maxConcurrency = 1000
	maxCacheSize   = 100_000_000
)

const (
	defaultBatchSize   = 100
	defaultConcurrency = 16
	defaultCacheSize   = 10_000
	defaultTTL         = 15 * time.Minute
	defaultMissTTL     = time.Minute
)

// Config configures a [Map].
type Config struct {
	// Client asks the service. It needs credentials: a token with the scope
	// view_identities, or with less if fewer members of the records will do.
	// Its retry policy decides how failed requests are repeated.
	Client *globusauth.Client

	// Provision makes the service create an identity for a username that has
	// none yet. It never applies to IDs.
	Provision bool
	// Providers asks for the identity provider of every identity too.
	Providers bool

	// BatchSize is the largest number of keys in one request; zero means 100,
	// as the official SDKs do. More is untried; at most 1,000 are allowed.
	BatchSize int
	// Concurrency is the largest number of requests on their way at once; zero
	// means 16, and at most 1,000 are allowed. After a 429 the map goes down to
	// fewer and comes back slowly.
	Concurrency int

	// CacheSize is the number of identities that are remembered; zero means
	// 10,000, about 10 MB. At most 100,000,000 are allowed.
	CacheSize int
	// TTL is how long an identity is remembered; zero means 15 minutes.
	TTL time.Duration
	// MissTTL is how long it is remembered that a key names nobody; zero means
	// one minute.
	MissTTL time.Duration
	// Share is another map whose cache is used, in place of an own one and of
	// the three settings above. What one map learned the other answers: share
	// only between maps whose credentials may see the same members of a record.
	Share *Map

	// Now is the clock of the cache; nil means time.Now. It is called from
	// several goroutines, and must neither panic nor use the map.
	Now func() time.Time
}

// New checks the configuration and returns a map. It makes no request.
func New(config Config) (*Map, error) {
	m := &Map{
		client:    config.Client,
		provision: config.Provision,
		providers: config.Providers,
		batchSize: config.BatchSize,
		hits:      stats.NewCounter(),
		calls:     map[string]*call{},
		running:   map[*batch]struct{}{},
	}
	if m.client == nil {
		return nil, errors.New("identitymap: Config.Client is nil")
	}
	var err error
	if m.batchSize, err = orDefault("BatchSize", config.BatchSize, defaultBatchSize, maxBatchSize); err != nil {
		return nil, err
	}
	concurrency, err := orDefault("Concurrency", config.Concurrency, defaultConcurrency, maxConcurrency)
	if err != nil {
		return nil, err
	}
	m.throttle = throttle{most: concurrency, limit: concurrency}
	if config.Share != nil {
		if config.CacheSize != 0 || config.TTL != 0 || config.MissTTL != 0 || config.Now != nil {
			return nil, errors.New("identitymap: Config.Share brings its own CacheSize, TTL, MissTTL and Now; leave them out")
		}
		m.cache = config.Share.cache
		return m, nil
	}
	size, err := orDefault("CacheSize", config.CacheSize, defaultCacheSize, maxCacheSize)
	if err != nil {
		return nil, err
	}
	ttl, err := orDefault("TTL", config.TTL, defaultTTL, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	missTTL, err := orDefault("MissTTL", config.MissTTL, defaultMissTTL, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if m.cache, err = newCache(size, ttl, missTTL, config.Now); err != nil {
		return nil, err
	}
	return m, nil
}

func orDefault[T int | time.Duration](field string, value, zero, most T) (T, error) {
	switch {
	case value > most:
		return 0, fmt.Errorf("identitymap: Config.%s is %v; at most %v are allowed", field, value, most)
	case value < 0:
		return 0, fmt.Errorf("identitymap: Config.%s is negative", field)
	case value == 0:
		return zero, nil
	}
	return value, nil
}
