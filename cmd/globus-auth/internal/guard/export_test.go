package guard

import "time"

// SetBodyTimeout replaces bodyTimeout.
func (g *Guard) SetBodyTimeout(timeout time.Duration) { g.bodyTimeout = timeout }
