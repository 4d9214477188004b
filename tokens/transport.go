package tokens

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/globusauth/globusauth/internal/origin"
	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/internal/replay"
)

// TransportConfig says which token a [Transport] sends, and where.
type TransportConfig struct {
	// Source gives the token. Required. If it is a [Renewer] too, a 401 makes it
	// replace the token.
	Source Source
	// ResourceServer names one of Globus's own services, whose hosts are known:
	// auth, transfer, groups, search, flows, timers, compute, nexus. Required
	// unless Hosts is set.
	ResourceServer string
	// Environment is the environment of that service. Empty means "production".
	Environment string
	// Hosts are the hosts the token may be sent to, as "host" (port 443) or
	// "host:port", beside those known for ResourceServer. Every other resource server needs them.
	Hosts []string
	// Base sends the requests. Required.
	Base http.RoundTripper
}

// Transport is an http.RoundTripper that adds a token to requests for the hosts
// the token is meant for, over https or to this machine, and to no other: a
// redirect elsewhere is followed without it, and any other request elsewhere is
// an error. It is safe for concurrent use if Base is.
//
// A 401 makes it renew the token and retry the request, once, if the body can be sent
// again (http.Request.GetBody). If the renewal fails, the 401 is returned as it
// came, except for [ErrLoginRequired], which is returned instead.
type Transport struct {
	source Source
	hosts  []string // with their ports
	base   http.RoundTripper
}

// NewTransport checks the configuration.
func NewTransport(config TransportConfig) (_ *Transport, err error) {
	defer prefix.Add(&err, "tokens: new transport")
	switch {
	case config.Source == nil:
		return nil, errors.New("the Source is nil")
	case config.Base == nil:
		return nil, errors.New("the Base is nil")
	}
	hosts, err := hostsFor(config)
	return &Transport{source: config.Source, hosts: hosts, base: config.Base}, err
}

// RoundTrip sends the request, with the token if it is for the right host. It
// does not change the request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.meantFor(req.URL); err != nil {
		if req.Response == nil {
			replay.Drop(req)
			return nil, err
		}
		return t.base.RoundTrip(withoutToken(req))
	}
	token, err := t.source.Token(req.Context())
	if err != nil {
		replay.Drop(req)
		return nil, err
	}
	resp, err := t.base.RoundTrip(withToken(req, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	renewer, ok := t.source.(Renewer)
	if !ok {
		return resp, nil
	}
	fresh, err := renewer.Renew(req.Context(), token)
	if errors.Is(err, ErrLoginRequired) {
		_ = resp.Body.Close()
		return nil, err
	}
	if err != nil || fresh.AccessToken == token.AccessToken {
		return resp, nil //nolint:nilerr // the caller gets the service's own response
	}
	again, ok := replay.Request(req.Context(), req)
	if !ok {
		return resp, nil
	}
	_ = resp.Body.Close()
	return t.base.RoundTrip(withToken(again, fresh))
}

// CloseIdleConnections closes those of Base, if it can.
func (t *Transport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// meantFor says why the token must not be sent there; nil if it may.
func (t *Transport) meantFor(u *url.URL) error {
	host := origin.HostPort(u)
	if !slices.Contains(t.hosts, host) {
		return fmt.Errorf("tokens: send request: the token is not meant for %s, only for %s: add the host to Hosts if it should be, "+
			"or use another client", host, strings.Join(t.hosts, ", "))
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !origin.Loopback(u.Hostname())) {
		return fmt.Errorf("tokens: send request: a token goes to %s over https only", host)
	}
	return nil
}

func withToken(req *http.Request, token Token) *http.Request {
	clone := req.Clone(req.Context())
	plain(token).SetAuthHeader(clone)
	return clone
}

// withoutToken drops an Authorization header that net/http has carried over from
// the request before the redirect, as it does for subdomains.
func withoutToken(req *http.Request) *http.Request {
	clone := req.Clone(req.Context())
	clone.Header.Del("Authorization")
	return clone
}
