package authtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// controlDescription describes the control API.
//
//go:embed control.openapi.yaml
var controlDescription []byte

// controlRoutes registers the control API: what a test in another language says
// to the double itself. Browsers may use it from the double's own pages only.
func (s *Server) controlRoutes(mux *http.ServeMux) {
	guard := s.sameOrigin()
	handle := func(pattern string, answer func(r *http.Request) (any, error)) {
		mux.Handle(pattern, guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limit := int64(maxBody)
			if r.URL.Path == "/_authtest/world" {
				limit = maxAdded
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			document, err := answer(r)
			if err != nil {
				s.engine.writeProblem(w, r, controlProblem(err))
				return
			}
			_ = server.JSON(document)(w) // the client went away
		})))
	}
	handle("GET /_authtest/ready", func(*http.Request) (any, error) { return s.Ready(), nil })
	handle("GET /_authtest/stats", func(*http.Request) (any, error) { return s.Stats(), nil })
	handle("DELETE /_authtest/stats", func(*http.Request) (any, error) {
		s.ResetStats()
		return s.Stats(), nil
	})
	handle("GET /_authtest/requests", func(*http.Request) (any, error) {
		return map[string]any{"requests": s.shortRequests()}, nil
	})
	handle("GET /_authtest/clock", func(*http.Request) (any, error) { return map[string]any{"now": s.Now()}, nil })
	handle("POST /_authtest/clock", s.controlClock)
	handle("POST /_authtest/keys", func(*http.Request) (any, error) {
		return map[string]any{"rotated": true}, s.RotateKeys()
	})
	handle("POST /_authtest/reset", func(*http.Request) (any, error) { return map[string]any{"reset": true}, s.Reset() })
	handle("POST /_authtest/world", s.controlWorld)
	handle("POST /_authtest/tokens/expire", s.controlExpire)
	handle("POST /_authtest/consents/revoke", s.controlRevoke)
	handle("GET /_authtest/faults", func(*http.Request) (any, error) { return map[string]any{"faults": s.Faults()}, nil })
	handle("POST /_authtest/faults", s.controlInject)
	handle("DELETE /_authtest/faults", func(*http.Request) (any, error) {
		s.ClearFaults()
		return map[string]any{"faults": s.Faults()}, nil
	})
	handle("DELETE /_authtest/faults/{id}", func(r *http.Request) (any, error) {
		s.ClearFaults(r.PathValue("id"))
		return map[string]any{"faults": s.Faults()}, nil
	})
	mux.HandleFunc("GET /_authtest/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(controlDescription)
	})
	mux.HandleFunc("GET /_authtest/snapshot", func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		if err := s.Snapshot().Write(&text); err != nil {
			s.engine.writeProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(text.Bytes())
	})
}

// sameOrigin keeps pages of other origins from changing anything.
func (s *Server) sameOrigin() *http.CrossOriginProtection {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.engine.writeProblem(w, r, forbidden("The request comes from a page of another origin"))
	}))
	return guard
}

// controlProblem makes a mistake in a request of the control API the client's.
func controlProblem(err error) error {
	if _, known := errors.AsType[*problem](err); known {
		return err
	}
	if _, known := errors.AsType[*http.MaxBytesError](err); known {
		return err
	}
	return badRequest(strings.TrimPrefix(err.Error(), "authtest: "))
}

// readJSON decodes a body strictly.
func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return badRequest("The body cannot be read: " + err.Error())
	}
	return nil
}

func (s *Server) controlClock(r *http.Request) (any, error) {
	var body struct {
		Advance string `json:"advance"` // as in 36h30m
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(body.Advance)
	if err != nil {
		return nil, badRequest("advance must be a duration such as 36h or 90s")
	}
	s.Advance(d)
	return map[string]any{"now": s.Now()}, nil
}

// controlWorld adds a fragment of a world; YAML, and so JSON as well.
func (s *Server) controlWorld(r *http.Request) (any, error) {
	world, err := ReadWorld(r.Body)
	if err != nil {
		return nil, err
	}
	if world.State != nil {
		return nil, badRequest("A running server takes no state; start one with the snapshot")
	}
	return map[string]any{"added": true}, s.Add(world)
}

func (s *Server) controlExpire(r *http.Request) (any, error) {
	var body struct {
		Token string `json:"token"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	if !s.engine.expireToken(body.Token) {
		return nil, notFound("There is no such token")
	}
	return map[string]any{"expired": true}, nil
}

func (s *Server) controlRevoke(r *http.Request) (any, error) {
	var body struct {
		User   string   `json:"user"`
		Scopes []string `json:"scopes"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	revoked, known := s.engine.revokeConsents(body.User, body.Scopes)
	if !known {
		return nil, notFound("There is no user '" + body.User + "'")
	}
	return map[string]any{"revoked": revoked}, nil
}

func (s *Server) controlInject(r *http.Request) (any, error) {
	var fault faultDocument
	if err := readJSON(r, &fault); err != nil {
		return nil, err
	}
	rule, err := fault.rule()
	if err != nil {
		return nil, err
	}
	id, err := s.engine.inject(rule)
	return map[string]any{"id": id}, err
}

// faultDocument is a fault with its latency as people write it.
type faultDocument struct {
	Fault
	Latency string `json:"latency,omitempty"`
}

func (d faultDocument) rule() (Fault, error) {
	rule := d.Fault
	rule.Seen, rule.Fired = 0, 0
	if d.Latency == "" {
		return rule, nil
	}
	latency, err := time.ParseDuration(d.Latency)
	if err != nil {
		return rule, badRequest("latency must be a duration such as 300ms")
	}
	rule.Latency = latency
	return rule, nil
}

// MarshalJSON writes the latency as [time.Duration.String] does.
func (f Fault) MarshalJSON() ([]byte, error) {
	type plain Fault
	document := struct {
		plain
		Latency string `json:"latency,omitempty"`
	}{plain: plain(f)}
	if f.Latency != 0 {
		document.Latency = f.Latency.String()
	}
	return json.Marshal(document)
}

// requestDocument is a request for reading, its secrets shortened.
type requestDocument struct {
	Time      time.Time  `json:"time"`
	Operation string     `json:"operation"`
	Method    string     `json:"method"`
	Path      string     `json:"path"`
	Query     url.Values `json:"query,omitempty"`
	Form      url.Values `json:"form,omitempty"`
	Status    int        `json:"status"`
	UserAgent string     `json:"user_agent,omitempty"`
}

// shortRequests returns the last requests, newest first.
func (s *Server) shortRequests() []requestDocument {
	requests := s.Requests()
	documents := make([]requestDocument, 0, len(requests))
	for _, r := range slices.Backward(requests) {
		documents = append(documents, requestDocument{
			Time: r.Time, Operation: r.Operation, Method: r.Method, Path: r.Path, Query: withoutSecrets(r.Query),
			Form: withoutSecrets(r.Form), Status: r.Status, UserAgent: r.Header.Get("User-Agent"),
		})
	}
	return documents
}

// withoutSecrets shortens the values that let somebody in.
func withoutSecrets(values url.Values) url.Values {
	short := url.Values{}
	for name, list := range values {
		for _, value := range list {
			switch name {
			case "token", "access_token", "refresh_token", "code", "code_verifier", "client_secret", "state", "nonce", "id_token":
				const shown = 14
				if len(value) > shown {
					value = value[:shown] + "…"
				} else {
					value = "…"
				}
			}
			short.Add(name, value)
		}
	}
	return short
}

// ResetStats starts counting anew and forgets the recorded requests.
func (s *Server) ResetStats() {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats = newStatistics()
	e.log = newRequestLog(e.config.RecordedRequests)
}
