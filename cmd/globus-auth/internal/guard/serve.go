package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	stopTimeout    = 20 * time.Second // for requests in flight
)

// Serve serves requests and the admin address until ctx ends. Requests in flight then have 20 s to finish;
// upgraded connections (websockets) are closed. It closes the listeners.
func (g *Guard) Serve(ctx context.Context, requests, admin net.Listener) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop() // ends upgraded connections
	front := g.server(running, g.Handler())
	back := g.server(running, g.Admin(func() bool { return ctx.Err() == nil }))
	back.ReadTimeout, back.WriteTimeout = headerTimeout, headerTimeout
	failed := make(chan error, 2)
	go func() {
		if front.TLSConfig = g.tls; g.tls != nil {
			failed <- front.ServeTLS(requests, "", "")
		} else {
			failed <- front.Serve(requests)
		}
	}()
	go func() { failed <- back.Serve(admin) }()
	ended := 0
	var err error
	select {
	case err = <-failed:
		ended = 1
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(running, stopTimeout)
	defer cancel()
	if front.Shutdown(grace) != nil {
		g.log.WarnContext(ctx, "guard: requests in flight were cut off", slog.Duration("after", stopTimeout))
	}
	_, _ = front.Close(), back.Close()
	if g.transport != nil {
		g.transport.CloseIdleConnections()
	}
	for ; ended < 2; ended++ {
		if other := <-failed; err == nil && !errors.Is(other, http.ErrServerClosed) {
			err = other
		}
	}
	if err != nil {
		return fmt.Errorf("guard: serve: %w", err)
	}
	return nil
}

func (g *Guard) server(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is a request like any other
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ErrorLog:                     slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
}
