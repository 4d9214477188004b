package identitymap

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/sharedcache"
)

const (
	maxMissTTL = time.Minute
	maxTTL     = 365 * 24 * time.Hour
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
	// TTL is how long an identity is cached. Zero means 15 minutes; at most a year. That a
	// key has no identity is cached for a minute, or for TTL if that is shorter.
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
	for _, field := range []struct {
		name       string
		value      *int
		zero, most int // most prevents overflow
	}{
		{"BatchSize", &config.BatchSize, 100, 1000},
		{"Concurrency", &config.Concurrency, 16, 1000},
		{"CacheSize", &config.CacheSize, 10_000, 100_000_000},
	} {
		if *field.value < 0 || *field.value > field.most {
			return nil, fmt.Errorf("identitymap: Config.%s is %d; it must be from 0 to %d", field.name, *field.value, field.most)
		}
		*field.value = cmp.Or(*field.value, field.zero)
	}
	if config.TTL < 0 || config.TTL > maxTTL {
		return nil, fmt.Errorf("identitymap: Config.TTL is %v; it must be from 0 to %v", config.TTL, maxTTL)
	}
	config.TTL = cmp.Or(config.TTL, 15*time.Minute)
	m := &Map{config: config, limit: config.Concurrency, calls: map[string]*call{}, changed: map[string]int{}, closed: make(chan struct{})}
	close(m.closed)
	for k := range m.added {
		m.added[k] = map[string]struct{}{}
	}
	start := time.Now()
	m.now = func() int64 { return start.UnixNano() + int64(time.Since(start)) } // faster than time.Now
	if config.Now != nil {
		m.now = func() int64 { return config.Now().UnixNano() }
	}
	m.cache = otter.Must(&otter.Options[string, *entry]{MaximumSize: 2 * config.CacheSize})
	return m, nil
}
