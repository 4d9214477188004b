package authtest

import (
	"maps"
	"strconv"

	"github.com/globusauth/globusauth/internal/server"
)

// Stats counts the responses of a server since its start or the last reset.
type Stats struct {
	// Operations counts responses by operation ID of the API's description and status.
	Operations map[string]map[string]int `json:"operations"`
	// Grants counts the responses of the token endpoint by grant type and outcome:
	// "ok" or the OAuth error. Every grant is there, with "ok" and "invalid_grant".
	Grants map[string]map[string]int `json:"grants"`
}

func newStats() Stats {
	s := Stats{Operations: map[string]map[string]int{}, Grants: map[string]map[string]int{}}
	for _, grant := range []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeRefreshToken, server.GrantTypeClientCredentials, server.GrantTypeDependentToken} {
		s.Grants[string(grant)] = map[string]int{"ok": 0, "invalid_grant": 0}
	}
	return s
}

// record counts a request and remembers it.
func (e *engine) record(c *call, status int, body []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stats.Operations[c.operation] == nil {
		e.stats.Operations[c.operation] = map[string]int{}
	}
	e.stats.Operations[c.operation][strconv.Itoa(status)]++
	if outcomes := e.stats.Grants[string(c.grant)]; outcomes != nil && c.outcome != "" {
		outcomes[c.outcome]++
	}
	added := entry{query: c.request.URL.RawQuery, Request: Request{
		Time: e.now(), Operation: c.operation, Method: c.request.Method, Path: c.request.URL.Path, Header: c.request.Header, Body: body, Status: status,
	}}
	if sent := e.liveToken(c.bearerToken()); sent != nil {
		added.TokenIdentity, added.TokenClient = sent.identity.ID, sent.client.ID
	}
	e.remember(added)
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return Stats{Operations: cloned(s.engine.stats.Operations), Grants: cloned(s.engine.stats.Grants)}
}

func cloned(counts map[string]map[string]int) map[string]map[string]int {
	counts = maps.Clone(counts)
	for name := range counts {
		counts[name] = maps.Clone(counts[name])
	}
	return counts
}

// ResetStats resets the counts and discards the recorded requests.
func (s *Server) ResetStats() {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats = newStats()
	e.log = nil
}
