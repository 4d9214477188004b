//go:build !unix

package turns

import "time"

// ProcessTime returns wall time: the system has no clock for processes.
func ProcessTime() time.Duration { return wallTime() }
