package guard

import (
	"net/http"

	"github.com/globusauth/globusauth/resourceserver"
)

// original are the headers with the method and target of the original request, by proxy. The proxy replaces what
// its clients send in them; any other header may come from a client.
var original = map[string][2]string{
	"nginx":   {"X-Original-Method", "X-Original-Uri"},
	"traefik": {"X-Forwarded-Method", "X-Forwarded-Uri"},
	"caddy":   {"X-Forwarded-Method", "X-Forwarded-Uri"},
}

// The paths of forward auth. nginx does not pass on the body of a denial: it requests denialPath for it.
const (
	checkPath  = "/check"
	denialPath = "/denial"
)

// forwardAuth responds to the proxy.
func (g *Guard) forwardAuth(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != checkPath && r.URL.Path != denialPath {
		http.NotFound(w, r)
		return
	}
	for name := range r.Header {
		if isReserved(name) {
			g.api.Deny(w, r, errReserved())
			return
		}
	}
	names := original[g.config.ForwardAuth]
	method, target := r.Header[names[0]], r.Header[names[1]]
	if len(method) != 1 || len(target) != 1 {
		g.api.Deny(w, r, &resourceserver.DeniedError{
			Status: http.StatusInternalServerError, Code: "InternalError", Message: "the proxy does not send the method and path of the request", Rule: "path",
		})
		return
	}
	g.check(w, r, method[0], target[0])
}

// allow is the response to the proxy for an allowed request.
func (g *Guard) allow(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == denialPath {
		g.api.Deny(w, r, &resourceserver.DeniedError{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "try again"})
		return
	}
	caller := resourceserver.Caller(r.Context())
	assertion, err := g.assertion(caller)
	if err != nil {
		g.api.Deny(w, r, err)
		return
	}
	g.metrics.allowed.Add(1)
	setCaller(w.Header(), caller, assertion)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}
