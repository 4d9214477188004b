package authtest

import (
	"html"
	"net/http"

	"github.com/globusauth/globusauth/internal/server"
)

// addPages registers what is not an operation of the API's description.
func (s *Server) addPages(mux *http.ServeMux) {
	s.controlRoutes(mux)
	mux.HandleFunc("/", s.other)
}

// other answers every path that nothing else does.
func (s *Server) other(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	s.engine.writeProblem(w, r, notFound("There is no "+r.Method+" "+r.URL.Path))
}

// errorPage tells a person what is wrong.
func (e *engine) errorPage(status int, code, detail string) server.Answer {
	return func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, err := w.Write([]byte("<!DOCTYPE html><title>" + html.EscapeString(code) + "</title>" + html.EscapeString(detail)))
		return err
	}
}
