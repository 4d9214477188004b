package globusauth

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// sharedTransport is used by all clients without TLS settings, so that no client
// leaves connections behind.
var sharedTransport = sync.OnceValue(func() *http.Transport { return new(Config).transport() }) //nolint:gochecknoglobals // computed once, never changed

func (c *Config) transport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: checkProxy,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    dialTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 1 << 20, // in memory they take 25 times as much
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            c.RootCAs,
			InsecureSkipVerify: c.UnsafeSkipTLSVerify, //nolint:gosec // the option has an unsafe name, and New warns
		},
	}
}

// freshTransport returns a transport like base that opens a connection for each
// request. net/http notices that a server has closed an idle connection only after
// it has written a request to it, and then cannot tell whether that was acted on.
func freshTransport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport //nolint:forbidigo // what the caller's http.Client uses
	}
	transport, ok := base.(*http.Transport)
	if !ok {
		return base
	}
	transport = transport.Clone()
	transport.DisableKeepAlives = true
	return transport
}

// checkProxy makes a refusal of a proxy a permanent error.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode < http.StatusBadRequest || response.StatusCode >= http.StatusInternalServerError {
		return nil
	}
	return fmt.Errorf("%w: status %d; check the URL in HTTPS_PROXY, and its user name and password", errProxy, response.StatusCode)
}
