package authtest

import (
	"net/http"
)

// addPages registers what is not an operation of the API's description.
func (s *Server) addPages(mux *http.ServeMux) {
	s.controlRoutes(mux)
	s.pageRoutes(mux)
	// Every path that nothing else answers.
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			s.preflight(mux, w, r)
			return
		}
		s.engine.writeProblem(w, r, notFound("There is no "+r.Method+" "+r.URL.Path))
	})
}
