package guard

import (
	"context"
	"net"
	"time"
)

// SetBodyTimeout replaces bodyTimeout.
func (g *Guard) SetBodyTimeout(timeout time.Duration) { g.bodyTimeout = timeout }

// SetDial replaces the network to upstream.
func (g *Guard) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	g.transport.DialContext = dial
}
