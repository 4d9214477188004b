package authtest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// FaultKind is a kind of fault.
type FaultKind string

// Kinds of faults.
const (
	FaultLatency     FaultKind = "latency"      // the response is late, by Latency
	FaultStatus      FaultKind = "status"       // the response is Status, with Retry-After if RetryAfter is set; the request is not handled
	FaultDropBefore  FaultKind = "drop_before"  // the connection breaks before the request is handled
	FaultDropAfter   FaultKind = "drop_after"   // the connection breaks after the request was handled
	FaultTruncate    FaultKind = "truncate"     // the connection breaks in the middle of the body
	FaultMalformed   FaultKind = "malformed"    // the body is truncated JSON, or Body
	FaultContentType FaultKind = "content_type" // the content type is text/html
	FaultSlowBody    FaultKind = "slow_body"    // the body is sent in pieces, over Latency
)

// Fault is a rule for making requests fail. The first rule that
// matches a request applies; a rule without conditions matches every request.
type Fault struct {
	ID   string    `yaml:"id,omitempty"` // generated when empty
	Kind FaultKind `yaml:"kind"`

	Operation   string  `yaml:"operation,omitempty"`   // ID in the API's description
	Client      string  `yaml:"client,omitempty"`      // ID of the client that sends the request
	Nth         int     `yaml:"nth,omitempty"`         // only the nth request that matches, from 1
	Times       int     `yaml:"times,omitempty"`       // how many requests it applies to
	Probability float64 `yaml:"probability,omitempty"` // that a matching request fails; 0 is always

	Latency    time.Duration `yaml:"latency,omitempty"` // nanoseconds in JSON
	Status     int           `yaml:"status,omitempty"`
	RetryAfter int           `yaml:"retry_after,omitempty"` // seconds
	Body       string        `yaml:"body,omitempty"`

	Seen  int `yaml:"seen,omitempty"`  // requests that matched
	Fired int `yaml:"fired,omitempty"` // requests that it was applied to
}

type faultList []*Fault

func (f Fault) check() error {
	switch f.Kind {
	case FaultLatency, FaultSlowBody:
		if f.Latency <= 0 {
			return fmt.Errorf("authtest: fault %q needs a positive latency", f.Kind)
		}
	case FaultStatus:
		if f.Status < 400 || f.Status > 599 {
			return fmt.Errorf("authtest: fault status %d is not between 400 and 599", f.Status)
		}
	case FaultDropBefore, FaultDropAfter, FaultTruncate, FaultMalformed, FaultContentType:
	default:
		return fmt.Errorf("authtest: there is no fault %q; see FaultKind", f.Kind)
	}
	if f.Nth < 0 || f.Times < 0 || f.RetryAfter < 0 || f.Probability < 0 || f.Probability > 1 {
		return errors.New("authtest: a fault's nth, times and retry_after must not be negative, probability must be within 0 and 1")
	}
	return nil
}

// Inject adds a rule and returns its ID. An invalid rule ends the test.
func (s *Server) Inject(fault Fault) string {
	return locked(s, func(e *engine) (string, error) { return e.inject(fault) })
}

func (e *engine) inject(fault Fault) (string, error) {
	if err := fault.check(); err != nil {
		return "", err
	}
	if fault.ID == "" {
		fault.ID = e.random.uuid()
	}
	e.faults = slices.DeleteFunc(e.faults, func(f *Fault) bool { return f.ID == fault.ID })
	e.faults = append(e.faults, &fault)
	e.changed()
	return fault.ID, nil
}

// ClearFaults removes the rules with these IDs, all when none is given.
func (s *Server) ClearFaults(ids ...string) {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = slices.DeleteFunc(e.faults, func(f *Fault) bool { return len(ids) == 0 || slices.Contains(ids, f.ID) })
	e.changed()
}

// faultFor returns the fault that applies to a request, or nil.
func (e *engine) faultFor(c *call, body []byte) *Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		if f.Operation != "" && f.Operation != c.operation {
			continue
		}
		if f.Client != "" && f.Client != e.askingClient(c, body) {
			continue
		}
		if e.fires(f) {
			applied := *f
			return &applied
		}
	}
	return nil
}

// fires counts a request that a rule matches and reports whether the
// rule is applied to it.
func (e *engine) fires(f *Fault) bool {
	if f.Times > 0 && f.Fired >= f.Times {
		return false
	}
	f.Seen++
	if f.Nth > 0 && f.Seen != f.Nth {
		return false
	}
	if f.Probability > 0 && float64(e.random.source.Uint64()>>11)/(1<<53) >= f.Probability {
		return false
	}
	f.Fired++
	return true
}

// askingClient returns the ID of the client that sent a request, as far as it
// is known before authentication.
func (e *engine) askingClient(c *call, body []byte) string {
	if id, _, given := c.basicCredentials(); given {
		return id
	}
	if token := e.access.byValue[c.bearerToken()]; token != nil {
		return token.client.ID
	}
	if id := c.request.URL.Query().Get("client_id"); id != "" {
		return id
	}
	form, _ := url.ParseQuery(string(body)) // of another content type, without the parameter
	return form.Get("client_id")
}

// respond handles a request, or makes it fail as a fault says.
func (s *Server) respond(c *call, w *recorder, r *http.Request, body []byte, next http.HandlerFunc) {
	fault := s.engine.faultFor(c, body)
	if fault == nil {
		next(w, r)
		return
	}
	switch fault.Kind { //nolint:exhaustive // The others come after the response.
	case FaultLatency:
		wait(r, fault.Latency)
	case FaultDropBefore:
		panic(http.ErrAbortHandler)
	case FaultStatus:
		fault.writeStatus(s.engine, w, r)
		return
	}
	held := httptest.NewRecorder()
	maps.Copy(held.Header(), w.Header())
	next(held, r)
	clear(w.Header())
	maps.Copy(w.Header(), held.Header())
	fault.send(w, r, held.Code, held.Body.Bytes())
}

// wait pauses in real time, until the client goes away.
func wait(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func (f *Fault) writeStatus(e *engine, w http.ResponseWriter, r *http.Request) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	if f.Body != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body))
		return
	}
	e.writeProblem(w, r, statusProblem(f.Status, "Injected fault"))
}

// send sends a response, broken as the fault says.
func (f *Fault) send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	switch f.Kind { //nolint:exhaustive // The others came before the response, or leave it as it is.
	case FaultDropAfter:
		panic(http.ErrAbortHandler)
	case FaultMalformed:
		body = body[:len(body)/2]
		if f.Body != "" {
			body = []byte(f.Body)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Del("Content-Length")
	case FaultContentType:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	case FaultTruncate:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	control := http.NewResponseController(w)
	switch f.Kind {
	case FaultTruncate:
		_, _ = w.Write(body[:len(body)/2])
		_ = control.Flush()
		panic(http.ErrAbortHandler)
	case FaultSlowBody:
		for piece := range slices.Chunk(body, len(body)/10+1) {
			_, _ = w.Write(piece)
			_ = control.Flush()
			wait(r, f.Latency/10)
		}
	default:
		_, _ = w.Write(body)
	}
}
