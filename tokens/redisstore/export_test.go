package redisstore

import "time"

// With makes the lease of a store, and the time of a command, shorter than those of a fleet.
func (c Config) With(lease, timeout time.Duration) Config {
	c.lease, c.timeout = lease, timeout
	return c
}

// The hashes of the scripts, which are what the client sends.
var AcquireHash, ExtendHash, CommitHash, ReleaseHash = acquire.Hash(), extend.Hash(), commit.Hash(), release.Hash()

// TakeScript takes a session.
const TakeScript = takeScript

var TakeHash = take.Hash()
