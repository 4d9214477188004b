package authtest

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/globusauth/globusauth/internal/origin"
)

// guardHost refuses requests whose Host header names another site: a web page
// whose name resolves to this machine (DNS rebinding) would have the browser send
// them, and could read the response. Only requests that came over a network
// connection are checked; a test may call the handler itself with any URL.
func (s *Server) guardHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Context().Value(http.LocalAddrContextKey) != nil && !s.serves(r.Host) {
			s.engine.writeProblem(w, r, statusProblem(http.StatusMisdirectedRequest,
				"The Host header is neither a loopback name nor the host of "+s.BaseURL()+"; set BaseURL (--public-url) to the address that clients use"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serves reports whether the server is meant to be reached by a host, with any port.
func (s *Server) serves(host string) bool {
	name := hostname(host)
	if base, err := url.Parse(s.BaseURL()); err == nil && name != "" && name == hostname(base.Host) {
		return true
	}
	return origin.Loopback(name)
}

// hostname returns a host without its port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// allowOrigin lets browsers of any origin read the answer, as the service does.
// Cookies are not let through.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" {
		return
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", "Retry-After")
}

// preflight answers what a browser asks before it calls from another origin. Only
// the operations of the API may be called from there.
func (s *Server) preflight(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	asked := r.Clone(r.Context())
	asked.Method = r.Header.Get("Access-Control-Request-Method")
	_, pattern := mux.Handler(asked)
	_, path, _ := strings.Cut(pattern, " ")
	switch {
	case path == "/v2/oauth2/authorize", !strings.HasPrefix(path, "/v2/oauth2/") && !strings.HasPrefix(path, "/v2/api/") &&
		!strings.HasPrefix(path, "/.well-known/") && path != "/jwk.json":
		s.engine.writeProblem(w, r, forbidden("Other origins may not call "+asked.Method+" "+r.URL.Path))
		return
	}
	allowOrigin(w, r)
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	headers := r.Header.Get("Access-Control-Request-Headers")
	if headers == "" {
		headers = "Authorization, Content-Type, X-Globus-Client-Info"
	}
	header.Set("Access-Control-Allow-Headers", headers)
	header.Set("Access-Control-Max-Age", "600")
	header.Add("Vary", "Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
}
