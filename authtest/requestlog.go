package authtest

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is a request that the server received. It holds secrets as they came.
type Request struct {
	Time      time.Time
	Operation string // ID in the API's description
	Method    string
	Path      string
	Query     url.Values
	Header    http.Header
	Form      url.Values // of a form body
	Body      []byte     // at most the first 16 KiB
	Status    int        // of the response; 0 when the connection was dropped without one

	// TokenIdentity and TokenClient are the IDs of the identity and the client that the access token of the
	// request was issued to; empty without a valid one.
	TokenIdentity, TokenClient string
}

const maxRecordedBody = 16 << 10

// entry is a request as it is kept: its query and form are parsed when it is read.
type entry struct {
	Request
	query string
}

// remember keeps the last requests.
func (e *engine) remember(added entry) {
	if len(added.Body) > maxRecordedBody {
		added.Body = bytes.Clone(added.Body[:maxRecordedBody])
	}
	if e.log = append(e.log, added); len(e.log) > e.config.RecordedRequests {
		e.log[0] = entry{}
		e.log = e.log[1:]
	}
}

// Requests returns the last requests that the server received, oldest first.
func (s *Server) Requests() []Request {
	s.engine.mu.Lock()
	entries := slices.Clone(s.engine.log)
	s.engine.mu.Unlock()
	requests := make([]Request, len(entries))
	for n, e := range entries {
		requests[n] = e.request()
	}
	return requests
}

func (e entry) request() Request {
	r := e.Request
	r.Header, r.Body = r.Header.Clone(), bytes.Clone(r.Body)
	r.Query, _ = url.ParseQuery(e.query) // what cannot be read is left out
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		r.Form, _ = url.ParseQuery(string(r.Body))
	}
	return r
}
