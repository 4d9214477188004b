package authtest

import "testing"

// New starts a server with the built-in world for a test, on a free port of the
// loopback address. It stops with the test.
func New(tb testing.TB) *Server {
	tb.Helper()
	return NewWith(tb, Config{})
}

// NewWith is [New] with a configuration. A mistake in it ends the test.
func NewWith(tb testing.TB, config Config) *Server {
	tb.Helper()
	s, err := NewServer(config)
	if err != nil {
		tb.Fatal(err)
	}
	s.listen()
	s.fail = tb.Fatalf
	tb.Cleanup(s.close)
	return s
}
