package redisstore

import "time"

// WithLease makes the lease of a store shorter than that of a fleet.
func (c Config) WithLease(lease time.Duration) Config {
	c.lease = lease
	return c
}
