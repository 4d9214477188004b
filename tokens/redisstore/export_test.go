package redisstore

import "time"

// With makes the lease of a store, and the time of a command, shorter than those of a fleet.
func (c Config) With(lease, timeout time.Duration) Config {
	c.lease, c.timeout = lease, timeout
	return c
}

const (
	AcquireScript, ExtendScript, CommitScript, ReleaseScript = acquireScript, extendScript, commitScript, releaseScript
	TakeScript                                               = takeScript
)
