// Package guard protects programs in any language with the rules of package
// resourceserver, configured by a file: as the forward-auth server of nginx, Traefik or
// Caddy, or as a reverse proxy.
package guard
