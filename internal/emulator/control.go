package emulator

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/server"
)

//go:embed control.openapi.yaml
var controlDescription []byte

const (
	maxBody  = 1 << 20
	maxWorld = 64 << 20
)

var (
	errNotFound = errors.New("not found")
	errNoState  = errors.New("a running server takes no state; start one with the snapshot")
)

// addControl registers the control API: what a test in another language tells the
// test double itself. Browsers may use it from pages of the emulator only.
func (e *emulator) addControl(mux *http.ServeMux) {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "The request comes from a page of another origin")
	}))
	handle := func(pattern string, respond func(r *http.Request) (any, error)) {
		mux.Handle(pattern, guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limit := int64(maxBody)
			if r.URL.Path == "/_authtest/world" {
				limit = maxWorld
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			document, err := respond(r)
			tooLong, isTooLong := errors.AsType[*http.MaxBytesError](err)
			switch {
			case isTooLong:
				fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is longer than %d bytes", tooLong.Limit))
			case errors.Is(err, errNotFound):
				fail(w, http.StatusNotFound, err.Error())
			case err != nil:
				fail(w, http.StatusBadRequest, strings.TrimPrefix(err.Error(), "authtest: "))
			default:
				_ = server.JSON(document)(w) // the client went away
			}
		})))
	}
	handle("GET /_authtest/ready", func(*http.Request) (any, error) { return e.Ready(), nil })
	handle("GET /_authtest/stats", func(*http.Request) (any, error) { return e.Stats(), nil })
	handle("DELETE /_authtest/stats", func(*http.Request) (any, error) {
		e.ResetStats()
		return e.Stats(), nil
	})
	handle("GET /_authtest/requests", func(*http.Request) (any, error) { return object{"requests": e.shortRequests()}, nil })
	handle("GET /_authtest/clock", func(*http.Request) (any, error) { return object{"now": e.Now()}, nil })
	handle("POST /_authtest/clock", e.controlClock)
	handle("POST /_authtest/keys", func(*http.Request) (any, error) { return object{"rotated": true}, e.RotateKeys() })
	handle("POST /_authtest/reset", func(*http.Request) (any, error) { return object{"reset": true}, e.Reset() })
	handle("POST /_authtest/world", e.controlWorld)
	handle("POST /_authtest/tokens/expire", e.controlExpire)
	handle("POST /_authtest/consents/revoke", e.controlRevoke)
	handle("GET /_authtest/faults", func(*http.Request) (any, error) { return e.faults() })
	handle("POST /_authtest/faults", func(r *http.Request) (any, error) {
		body, err := io.ReadAll(r.Body) // bounded above
		if err != nil {
			return nil, err
		}
		id, err := e.inject(body)
		return object{"id": id}, err
	})
	handle("DELETE /_authtest/faults", func(*http.Request) (any, error) {
		e.ClearFaults()
		return e.faults()
	})
	handle("DELETE /_authtest/faults/{id}", func(r *http.Request) (any, error) {
		e.ClearFaults(r.PathValue("id"))
		return e.faults()
	})
	mux.HandleFunc("GET /_authtest/openapi.yaml", file("application/yaml", controlDescription))
	mux.HandleFunc("GET /_authtest/snapshot", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_ = e.Snapshot().Write(w) // the client went away
	})
}

type object = map[string]any

// read decodes a body strictly.
func read(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	return nil
}

func (e *emulator) controlClock(r *http.Request) (any, error) {
	var body struct {
		Advance string `json:"advance"` // as in 36h30m
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(body.Advance)
	if err != nil {
		return nil, errors.New("advance must be a duration such as 36h or 90s")
	}
	e.Advance(d)
	return object{"now": e.Now()}, nil
}

// controlWorld adds a part of a world: YAML, which JSON is as well.
func (e *emulator) controlWorld(r *http.Request) (any, error) {
	world, err := authtest.ReadWorld(r.Body)
	if err != nil {
		return nil, err
	}
	if world.State != nil {
		return nil, errNoState
	}
	return object{"added": true}, e.Add(world)
}

func (e *emulator) controlExpire(r *http.Request) (any, error) {
	var body struct {
		Token string `json:"token"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if !e.ExpireToken(body.Token) {
		return nil, fmt.Errorf("token %w", errNotFound)
	}
	return object{"expired": true}, nil
}

func (e *emulator) controlRevoke(r *http.Request) (any, error) {
	var body struct {
		User   string   `json:"user"`
		Scopes []string `json:"scopes"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if !known(e.Snapshot().Users, body.User) {
		return nil, fmt.Errorf("user %q %w", body.User, errNotFound)
	}
	return object{"revoked": e.RevokeConsents(body.User, body.Scopes...)}, nil
}

// known reports whether one of the users has an ID or a username.
func known(users []authtest.User, name string) bool {
	return slices.ContainsFunc(users, func(u authtest.User) bool {
		return strings.EqualFold(u.ID, name) || strings.EqualFold(u.Username, name) || known(u.Linked, name)
	})
}

// inject adds a fault, a document like those in a world, and returns its ID.
func (e *emulator) inject(document []byte) (string, error) {
	world, err := authtest.ReadWorld(strings.NewReader(`{"faults": [` + string(document) + `]}`))
	if err != nil {
		return "", err
	}
	if len(world.Faults) != 1 {
		return "", errors.New("the body must be one fault")
	}
	fault := &world.Faults[0]
	fault.Seen, fault.Fired = 0, 0
	there := e.Snapshot().Faults
	for n := 1; fault.ID == ""; n++ {
		id := "fault-" + strconv.Itoa(n)
		if !slices.ContainsFunc(there, func(f authtest.Fault) bool { return f.ID == id }) {
			fault.ID = id
		}
	}
	return fault.ID, e.Add(authtest.World{Faults: world.Faults})
}

// faults returns the faults as they are written in a world.
func (e *emulator) faults() (any, error) {
	text, err := yaml.Marshal(authtest.World{Faults: e.Snapshot().Faults})
	if err != nil {
		return nil, err
	}
	document := object{"faults": []any{}}
	return document, yaml.Unmarshal(text, &document)
}

// requestDocument is a request, its secrets shortened.
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
func (e *emulator) shortRequests() []requestDocument {
	documents := []requestDocument{}
	for _, r := range slices.Backward(e.Requests()) {
		documents = append(documents, requestDocument{
			Time: r.Time, Operation: r.Operation, Method: r.Method, Path: r.Path, Query: withoutSecrets(r.Query),
			Form: withoutSecrets(r.Form), Status: r.Status, UserAgent: r.Header.Get("User-Agent"),
		})
	}
	return documents
}

// withoutSecrets shortens the values that are credentials.
func withoutSecrets(values url.Values) url.Values {
	short := url.Values{}
	for name, list := range values {
		for _, value := range list {
			switch name {
			case "token", "access_token", "refresh_token", "code", "code_verifier", "client_secret", "state", "nonce", "id_token":
				value = shorten(value)
			}
			short.Add(name, value)
		}
	}
	return short
}

// shorten keeps enough of a secret to tell it from others.
func shorten(secret string) string { return secret[:min(20, len(secret)/2)] + "…" }
