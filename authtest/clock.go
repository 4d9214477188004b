package authtest

import (
	"context"
	"time"
)

// now returns the server's time: the clock of the configuration, moved by what
// was advanced. The caller holds the lock.
func (e *engine) now() time.Time { return e.config.Now().Add(e.advanced).UTC() }

// Now returns the server's time.
func (s *Server) Now() time.Time {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.now()
}

// Wait advances the clock by the delay and returns at once: the Wait of a globusauth.Config, so that the test
// of a client does not sleep before its retries. The error is that of ctx.
func (s *Server) Wait(ctx context.Context, delay time.Duration) error {
	s.Advance(delay)
	return ctx.Err()
}

// Advance moves the server's clock forward: tokens expire, authentications age.
// A negative duration moves it back.
func (s *Server) Advance(d time.Duration) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	s.engine.advanced += d
	s.engine.changed()
}
