package authtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/globusauth/globusauth/internal/pages"
	"github.com/globusauth/globusauth/internal/server"
)

const maxBody = 1 << 20

// routes builds the handler of the server.
func (s *Server) routes() http.Handler {
	e := s.engine
	mux := http.NewServeMux()
	strict := server.NewStrictHandlerWithOptions(api{e}, []server.StrictMiddlewareFunc{e.locked}, server.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  func(w http.ResponseWriter, r *http.Request, err error) { e.writeProblem(w, r, malformed(err)) },
		ResponseErrorHandlerFunc: e.writeProblem,
	})
	server.HandlerWithOptions(strict, server.StdHTTPServerOptions{
		BaseRouter:       router{server: s, mux: mux},
		ErrorHandlerFunc: e.badParameter,
	})
	forms := server.ServerInterfaceWrapper{Handler: strict, ErrorHandlerFunc: e.badParameter}
	mux.Handle("POST /v2/oauth2/authorize", s.surround("authorize", forms.Authorize)) // of the pages
	s.groupRoutes(mux)
	// Every path that is no operation.
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			s.preflight(mux, w, r)
			return
		}
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			_ = pages.NotFound(r.URL.Path).Write(w) // the browser went away
			return
		}
		s.engine.writeProblem(w, r, notFound("There is no "+r.Method+" "+r.URL.Path))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// locked runs an operation under the lock, and gives it back before the response is
// written.
func (e *engine) locked(operation server.StrictHandlerFunc, _ string) server.StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return operation(ctx, w, r, request)
	}
}

// malformed keeps errors that are known and says of others that the request
// cannot be read.
func malformed(err error) error {
	if known, ok := errors.AsType[*problem](err); ok {
		return known
	}
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLong
	}
	return badRequest("The body cannot be read: " + err.Error())
}

// badParameter responds to a request whose query cannot be read.
func (e *engine) badParameter(w http.ResponseWriter, r *http.Request, err error) {
	if c := callFrom(r.Context()); c != nil && c.operation == "authorize" {
		_ = errorPage(http.StatusBadRequest, "OAUTH_AUTH_REQUEST_FAILURE", err.Error())(w)
		return
	}
	e.writeProblem(w, r, badRequest(err.Error()))
}

// router gives every operation of the generated handler its surroundings. The
// operation's ID is the name of its generated method.
type router struct {
	server *Server
	mux    *http.ServeMux
}

// HandleFunc registers an operation.
func (r router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	name := runtime.FuncForPC(reflect.ValueOf(handler).Pointer()).Name()
	name = strings.TrimSuffix(name[strings.LastIndexByte(name, '.')+1:], "-fm")
	operation := string(unicode.ToLower(rune(name[0]))) + name[1:]
	r.mux.Handle(pattern, r.server.surround(operation, handler))
}

// ServeHTTP handles a request.
func (r router) ServeHTTP(w http.ResponseWriter, request *http.Request) { r.mux.ServeHTTP(w, request) }

// recorder records the status of a response before its first byte is sent: a client
// that has the response finds it counted.
type recorder struct {
	http.ResponseWriter
	status int
	began  func(status int)
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	r.begin(status)
	r.ResponseWriter.WriteHeader(status)
}

// Write notes that the response began.
func (r *recorder) Write(p []byte) (int, error) {
	r.begin(http.StatusOK)
	return r.ResponseWriter.Write(p)
}

func (r *recorder) begin(status int) {
	if r.status == 0 {
		r.status = status
		r.began(status)
	}
}

// Unwrap gives [http.ResponseController] the original.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// surround reads the body, applies faults, records and counts.
func (s *Server) surround(operation string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		allowOrigin(w, r)
		c := &call{operation: operation}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		c.request = r
		out := &recorder{ResponseWriter: w}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		out.began = func(status int) { s.engine.record(c, status, body) }
		defer func() { //nolint:contextcheck // It gets the request's.
			if out.status == 0 { // the connection is dropped
				s.engine.record(c, 0, body)
			}
			s.logRequest(r.Context(), c, out.status, started)
		}()
		if err != nil {
			s.engine.writeProblem(out, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		parseForm(r, body)
		normalizeQuery(r)
		s.respond(c, out, r, body, next)
	})
}

// parseForm parses the usual form from the body that is in memory already. What it leaves to
// ParseForm is read again.
func parseForm(r *http.Request, body []byte) {
	if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return
	}
	if form, err := url.ParseQuery(string(body)); err == nil {
		r.Form, r.PostForm = form, form
	}
}

// logRequest writes a line about a request. It holds no query and no body.
func (s *Server) logRequest(ctx context.Context, c *call, status int, started time.Time) {
	logger := s.engine.config.Logger
	if logger == nil {
		return
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "request",
		slog.String("operation", c.operation), slog.String("method", c.request.Method),
		slog.String("path", c.request.URL.Path), slog.Int("status", status), slog.String("grant", string(c.grant)),
		slog.String("outcome", c.outcome), slog.Duration("duration", time.Since(started)))
}

// listParameters are lists in a query: one parameter joined with commas, which
// some clients give several times.
var listParameters = []string{
	"ids", "usernames", "include", "domains", "scope_strings", "session_required_identities",
	"session_required_single_domain", "session_required_policies",
}

// normalizeQuery joins such lists.
func normalizeQuery(r *http.Request) {
	if !strings.Contains(r.URL.RawQuery, "&") {
		return
	}
	query := r.URL.Query()
	changed := false
	for _, name := range listParameters {
		if values := query[name]; len(values) > 1 {
			query.Set(name, strings.Join(values, ","))
			changed = true
		}
	}
	if changed {
		r.URL.RawQuery = query.Encode()
	}
}
