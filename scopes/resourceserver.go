package scopes

import "strings"

// ResourceServer returns the resource server whose token carries the scope, as
// far as its name tells, and whether it does:
//
//   - openid, profile and email belong to auth.globus.org;
//   - urn:globus:auth:scope:{resource server}:{name};
//   - https://auth.globus.org/scopes/{resource server or client ID}/{name}, where
//     the client IDs of Globus Flows and Globus Compute are known to stand for
//     flows.globus.org and funcx_service. The host may be that of another Globus
//     environment.
//
// A scope of another service that is written with a client ID gives that
// client ID, although the service may have registered a name; in that case the
// token response tells.
func (s Scope) ResourceServer() (string, bool) {
	name := s.Name()
	switch name {
	case string(AuthOpenID), string(AuthProfile), string(AuthEmail):
		return AuthResourceServer, true
	}
	if rest, ok := strings.CutPrefix(name, urnPrefix); ok {
		return splitServer(rest, ":")
	}
	if rest, ok := strings.CutPrefix(name, "https://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		rest, ok := strings.CutPrefix(path, "scopes/")
		if !ok || !isAuthHost(host) {
			return "", false
		}
		server, ok := splitServer(rest, "/")
		switch server {
		case flowsClientID:
			server = FlowsResourceServer
		case computeClientID:
			server = ComputeResourceServer
		}
		return server, ok
	}
	return "", false
}

// splitServer takes server and name apart; both must be there, and nothing else.
func splitServer(rest, separator string) (string, bool) {
	server, name, _ := strings.Cut(rest, separator)
	if server == "" || name == "" || strings.Contains(name, separator) {
		return "", false
	}
	return server, true
}

// isAuthHost reports whether the host is Globus Auth in some environment.
func isAuthHost(host string) bool {
	return strings.HasPrefix(host, "auth.") &&
		(strings.HasSuffix(host, ".globus.org") || strings.HasSuffix(host, ".globuscs.info"))
}
