package authtest

import (
	"net/http"
	"strings"
)

// allowOrigin lets browsers of any origin read the response, as the service does.
// Cookies are not accepted.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" {
		return
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", "Retry-After")
}

// preflight responds to a CORS preflight. Only the operations of the API may be
// called from another origin.
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
