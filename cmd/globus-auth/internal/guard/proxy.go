package guard

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/globusauth/globusauth/resourceserver"
)

// assertionKey is the context key of the assertion about the caller of a request.
type assertionKey struct{}

// proxy returns the handler that passes allowed requests to upstream.
func (g *Guard) proxy() (http.Handler, error) {
	target, err := g.config.upstream()
	if err != nil {
		return nil, err
	}
	g.confined = strings.Trim(target.Path, "/") != ""
	reverse := &httputil.ReverseProxy{
		Transport: g.transport, BufferPool: &bufferPool{},
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelError), ErrorHandler: g.failed,
		// Headers that Connection names are removed before Rewrite, so that it cannot name those set here.
		Rewrite: func(r *httputil.ProxyRequest) {
			strip(r.Out.Header)
			r.Out.Trailer = nil
			if !isWebsocket(r.Out.Header) { // In a connection upgraded to h2c, requests would pass without the guard.
				delete(r.Out.Header, "Connection")
				delete(r.Out.Header, "Upgrade")
			}
			if !g.config.PassAuthorization {
				delete(r.Out.Header, "Authorization")
			}
			r.SetURL(target)
			r.SetXForwarded()
			assertion, _ := r.In.Context().Value(assertionKey{}).(string)
			setCaller(r.Out.Header, resourceserver.Caller(r.In.Context()), assertion)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := resourceserver.Caller(r.Context())
		assertion, err := g.assertion(caller)
		if err != nil {
			g.api.Deny(w, r, err)
			return
		}
		if assertion != "" {
			r = r.WithContext(context.WithValue(r.Context(), assertionKey{}, assertion))
		}
		if caller != nil && isWebsocket(r.Header) {
			ctx, end := context.WithTimeout(r.Context(), caller.Expiry.Sub(g.now()))
			defer end()
			r = r.WithContext(ctx)
		}
		if limit := g.config.MaxBodyBytes; limit > 0 {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		g.metrics.allowed.Add(1)
		reverse.ServeHTTP(w, r)
	}), nil
}

// isWebsocket reports whether a request asks for an upgrade to the websocket protocol (RFC 6455), the only one that passes.
// Of several headers the first counts, as for httputil.ReverseProxy.
func isWebsocket(header http.Header) bool {
	return strings.EqualFold(header.Get("Upgrade"), "websocket")
}

// newTransport returns a transport for one host.
func newTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		ResponseHeaderTimeout: timeout,
		DisableCompression:    true, // The client decides.
	}
}

// failed is the response if upstream does not respond.
func (g *Guard) failed(w http.ResponseWriter, r *http.Request, err error) {
	denial := &resourceserver.DeniedError{Status: http.StatusBadGateway, Code: "BadGateway", Message: "the program behind the guard does not respond"}
	var network net.Error
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		denial = &resourceserver.DeniedError{Status: http.StatusRequestEntityTooLarge, Code: "ContentTooLarge", Message: "the body of the request is too large"}
	} else if errors.As(err, &network) && network.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
		denial.Status, denial.Code = http.StatusGatewayTimeout, "GatewayTimeout"
	}
	if r.Context().Err() == nil { // Otherwise the client left, or the guard ends.
		g.metrics.Denied(denial.Status, "upstream")
		g.log.ErrorContext(r.Context(), "guard: upstream failed", slog.Int("status", denial.Status), slog.Any("cause", err))
	}
	denial.ServeHTTP(w, r)
}

// bufferPool is an httputil.BufferPool.
type bufferPool struct{ pool sync.Pool }

const copyBytes = 32 << 10

func (p *bufferPool) Get() []byte {
	if buffer, ok := p.pool.Get().(*[copyBytes]byte); ok {
		return buffer[:]
	}
	return make([]byte, copyBytes)
}

func (p *bufferPool) Put(buffer []byte) {
	if len(buffer) == copyBytes {
		p.pool.Put((*[copyBytes]byte)(buffer))
	}
}
