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

// statistics is guarded by the lock of the engine.
type statistics struct {
	operations map[string]map[int]int
	grants     map[server.GrantType]map[string]int
}

func newStatistics() statistics {
	s := statistics{operations: map[string]map[int]int{}, grants: map[server.GrantType]map[string]int{}}
	for _, name := range []server.GrantType{server.GrantTypeAuthorizationCode, server.GrantTypeRefreshToken, server.GrantTypeClientCredentials, server.GrantTypeDependentToken} {
		s.grants[name] = map[string]int{"ok": 0, "invalid_grant": 0}
	}
	return s
}

// record counts a request and remembers it.
func (e *engine) record(c *call, status int, body []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	byStatus := e.stats.operations[c.operation]
	if byStatus == nil {
		byStatus = map[int]int{}
		e.stats.operations[c.operation] = byStatus
	}
	byStatus[status]++
	if outcomes := e.stats.grants[c.grant]; outcomes != nil && c.outcome != "" {
		outcomes[c.outcome]++
	}
	added := entry{
		at: e.now(), operation: c.operation, method: c.request.Method, path: c.request.URL.Path,
		query: c.request.URL.RawQuery, header: c.request.Header, body: body, status: status,
	}
	if sent := e.liveToken(c.bearerToken()); sent != nil {
		added.tokenIdentity, added.tokenClient = sent.identity.ID, sent.client.ID
	}
	e.log.add(added)
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	counted := s.engine.stats
	stats := Stats{Operations: map[string]map[string]int{}, Grants: map[string]map[string]int{}}
	for operation, byStatus := range counted.operations {
		stats.Operations[operation] = map[string]int{}
		for status, n := range byStatus {
			stats.Operations[operation][strconv.Itoa(status)] = n
		}
	}
	for name, outcomes := range counted.grants {
		stats.Grants[string(name)] = maps.Clone(outcomes)
	}
	return stats
}

// ResetStats resets the counts and discards the recorded requests.
func (s *Server) ResetStats() {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats = newStatistics()
	e.log = newRequestLog(e.config.RecordedRequests)
}
