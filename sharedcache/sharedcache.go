// Package sharedcache is the second level of the caches of packages identitymap and
// resourceserver: a [Cache] that the processes of a fleet share, so that one of them asks the
// service and the others use the response. Package tokens/redisstore has one on Redis.
//
// The first level, in memory, stays as it is: a value that it holds is used without a look at the second.
package sharedcache

import (
	"context"
	"time"
)

// Cache is a cache that several processes share. It is safe for concurrent use. A cache that
// is out of order costs time, never a result: Fetch then behaves as if nothing was cached.
type Cache interface {
	// Fetch returns the values that are cached under keys. Each key without a value is
	// given to load once, unless ctx ends before, and what load returns is cached. Where other
	// processes are loading a key at the same time, Fetch waits for their value for
	// a limited time. Calls of load follow each other; there may be two.
	//
	// Values decide who may do what, so an implementation must not return what another
	// party wrote: it encrypts and authenticates values, each bound to its key. Keys
	// name people; they hold no tokens.
	Fetch(ctx context.Context, keys []string, load Load) map[string][]byte
}

// Load asks the service about keys and returns values to cache. A key that it returns no value for is not cached.
type Load func(ctx context.Context, keys []string) map[string]Value

// Value is a value to cache.
type Value struct {
	Data []byte
	TTL  time.Duration // how long it may be cached
}
