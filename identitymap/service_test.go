package identitymap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/identitymap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is what the service was asked.
type request struct {
	kind      string // "ids" or "usernames"
	keys      []string
	provision string
	urlLength int
}

// service serves lookups in memory, without sockets, so that it runs in
// virtual time too. It counts what it receives.
type service struct {
	latency time.Duration
	// fault, if set, may respond instead of the service.
	fault func(ctx context.Context, number int, r request) *http.Response

	mu           sync.Mutex
	people       map[string]gen.Identity // by lower-case username
	requests     []request
	asked        map[string]int
	now, busiest int // requests at once
}

func newService(people ...gen.Identity) *service {
	s := &service{people: map[string]gen.Identity{}, asked: map[string]int{}}
	for _, p := range people {
		s.people[strings.ToLower(p.Username)] = p
	}
	return s
}

func (s *service) client(tb fataler) *globusauth.Client {
	tb.Helper()
	return s.clientWith(tb, -1)
}

func (s *service) clientWith(tb fataler, retries int) *globusauth.Client {
	tb.Helper()
	client, err := globusauth.New(globusauth.Config{
		Credentials: globusauth.Bearer("a-token"),
		HTTPClient:  &http.Client{Transport: s},
		Timeout:     -1,
		MaxRetries:  retries,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// fataler is a testing.TB or a rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// newMap returns a map over the service. Its client does not retry.
func (s *service) newMap(tb fataler, config identitymap.Config) *identitymap.Map {
	tb.Helper()
	if config.Client == nil {
		config.Client = s.client(tb)
	}
	m, err := identitymap.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func (s *service) RoundTrip(req *http.Request) (*http.Response, error) {
	r := request{urlLength: len(req.URL.String())}
	query := req.URL.Query()
	for _, kind := range []string{"ids", "usernames"} {
		if list := query.Get(kind); list != "" {
			r.kind += kind
			r.keys = strings.Split(list, ",")
		}
	}
	r.provision = query.Get("provision")

	s.mu.Lock()
	s.requests = append(s.requests, r)
	number := len(s.requests)
	for _, k := range r.keys {
		s.asked[k]++
	}
	s.now++
	s.busiest = max(s.busiest, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()

	if s.latency > 0 {
		timer := time.NewTimer(s.latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if s.fault != nil {
		if response := s.fault(req.Context(), number, r); response != nil {
			return response, nil
		}
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
	}
	return s.respond(r), nil
}

func (s *service) respond(r request) *http.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := gen.IdentityList{Identities: []gen.Identity{}}
	byID := map[string]gen.Identity{}
	if r.kind == "ids" {
		for _, p := range s.people {
			byID[p.ID] = p
		}
	}
	for _, k := range r.keys {
		who, ok := s.people[strings.ToLower(k)]
		switch {
		case r.kind == "ids":
			who, ok = byID[k]
		case !ok && r.provision == "true":
			who, ok = person(5000+len(s.people), k), true
			s.people[strings.ToLower(k)] = who
		}
		if ok {
			list.Identities = append(list.Identities, who)
		}
	}
	// The order is not promised.
	slices.Reverse(list.Identities)
	return respond(http.StatusOK, list)
}

// log returns the requests so far.
func (s *service) log() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// underWay returns the number of requests in flight.
func (s *service) underWay() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func respond(status int, body any, header ...string) *http.Response {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status), Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)),
	}
}

// refuse is an error response of the service.
func refuse(status int, code string, header ...string) *http.Response {
	return respond(status, map[string]any{"errors": []map[string]any{{"status": strconv.Itoa(status), "code": code, "detail": "refused", "id": "7c0d"}}}, header...)
}

func person(n int, name string) gen.Identity {
	return gen.Identity{ID: id(n), Username: name, Name: "Person " + strconv.Itoa(n), Email: name, Status: "used", IdentityProvider: id(900_000 + n%3)}
}

func id(n int) string { return fmt.Sprintf("46bd0f56-e24f-11e5-a510-%012x", n) }

func name(n int) string { return fmt.Sprintf("user%d@example.edu", n) }

// crowd returns n people.
func crowd(n int) []gen.Identity {
	people := make([]gen.Identity, n)
	for i := range people {
		people[i] = person(i, name(i))
	}
	return people
}

func names(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = name(i)
	}
	return keys
}
