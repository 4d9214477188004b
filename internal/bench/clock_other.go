//go:build !unix

package bench

import "time"

// ProcessTime returns wall time: the system has no clock for processes.
func ProcessTime() time.Duration { return wallTime() }
