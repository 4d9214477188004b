// Package origin compares the addresses that services are reached at.
package origin

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Loopback reports whether a host, without a port, stays on this machine, where
// http is as safe as https. An IPv6 address is written without brackets, as
// url.URL.Hostname returns it.
func Loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && address.IsLoopback())
}

// HostPort returns host:port of a URL in lower case, with the port of its scheme
// (80 for http, else 443) if it names no port.
func HostPort(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"http": "80"}[u.Scheme], "443")
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Of returns scheme, host and port of a URL (RFC 6454 section 4).
func Of(u *url.URL) string { return u.Scheme + "://" + HostPort(u) }

// SameIssuer reports whether two issuers (OpenID Connect Core section 2) are the same;
// a slash at the end is not significant. An empty issuer is invalid.
func SameIssuer(one, other string) bool {
	return one != "" && strings.TrimSuffix(one, "/") == strings.TrimSuffix(other, "/")
}
