package identitymap

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/sharedcache"
)

const (
	defaultBatchSize   = 100
	defaultConcurrency = 16
	defaultCacheSize   = 10_000
	defaultTTL         = 15 * time.Minute
	maxMissTTL         = time.Minute

	// Sanity limits, which also prevent overflow.
	maxBatchSize   = 1000
	maxConcurrency = 1000
	maxCacheSize   = 100_000_000
)

// Config configures a [Map].
type Config struct {
	// Client calls the service. It needs credentials: a token with the scope
	// view_identities, or less if fewer fields of the records are enough. Its
	// retry policy applies to everything but status 429, which the map handles.
	Client *globusauth.Client

	// Provision makes the service create an identity for a username that has
	// no identity yet. It never applies to IDs.
	Provision bool

	// BatchSize is the maximum number of keys in one request. Zero means 100, as
	// in the official SDKs; at most 1,000.
	BatchSize int
	// Concurrency is the maximum number of requests in flight. Zero means 16; at
	// most 1,000. A 429 lowers it for a while.
	Concurrency int
	// CacheSize is the maximum number of identities in the cache. Zero means
	// 10,000, about 10 MB; at most 100,000,000.
	CacheSize int
	// TTL is how long an identity is cached. Zero means 15 minutes. That a key
	// has no identity is cached for a minute, or for TTL if that is shorter.
	TTL time.Duration

	// SharedCache, if set, is looked at for identities that are not in memory, before the
	// service is asked. All processes that share one need credentials that see the same fields.
	// [Map.Put] and [Map.Delete] change the memory of this process only.
	SharedCache sharedcache.Cache

	// OnPause, if set, is called when the service responds with 429 and the map waits
	// before it sends more requests. It must not use the map.
	OnPause func(pause time.Duration)
	// Now is the clock of the cache. Nil means time.Now. It must not use the map.
	Now func() time.Time
}

// New checks the configuration and returns a map. It makes no request.
func New(config Config) (*Map, error) {
	if config.Client == nil {
		return nil, errors.New("identitymap: Config.Client is nil")
	}
	err := errors.Join(
		setDefault("BatchSize", &config.BatchSize, defaultBatchSize, maxBatchSize),
		setDefault("Concurrency", &config.Concurrency, defaultConcurrency, maxConcurrency),
		setDefault("CacheSize", &config.CacheSize, defaultCacheSize, maxCacheSize),
		setDefault("TTL", &config.TTL, defaultTTL, math.MaxInt64),
	)
	if err != nil {
		return nil, err
	}
	m := &Map{config: config, limit: config.Concurrency, calls: map[string]*call{}, running: map[*batch]struct{}{}, closed: make(chan struct{})}
	close(m.closed)
	if config.Now != nil {
		m.now = func() int64 { return config.Now().UnixNano() }
	} else {
		start := time.Now()
		m.now = func() int64 { return int64(time.Since(start)) }
	}
	if m.cache, err = otter.New(&otter.Options[string, *entry]{MaximumSize: 2 * config.CacheSize}); err != nil {
		return nil, fmt.Errorf("identitymap: new cache: %w", err)
	}
	return m, nil
}

func setDefault[T int | time.Duration](field string, value *T, zero, most T) error {
	switch {
	case *value > most:
		return fmt.Errorf("identitymap: Config.%s is %v; the maximum is %v", field, *value, most)
	case *value < 0:
		return fmt.Errorf("identitymap: Config.%s is negative", field)
	case *value == 0:
		*value = zero
	}
	return nil
}
