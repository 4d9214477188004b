package fleettest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// issuer is a token endpoint that rotates refresh tokens.
type issuer struct {
	*httptest.Server

	now   func() time.Time
	grace bool          // the previous refresh token gets the current response again
	delay time.Duration // of each response

	mu        sync.Mutex
	count     int
	current   string
	previous  string
	issued    time.Time
	refused   int
	premature int
}

func newIssuer(t *testing.T, now func() time.Time, grace bool) *issuer {
	t.Helper()
	s := &issuer{now: now, grace: grace, current: "R0"}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer wait(s.delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := r.PostFormValue("refresh_token")
	again := s.grace && sent == s.previous
	if sent != s.current && !again {
		s.refused++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		return
	}
	// Stored times are whole seconds, so a token is due up to a second earlier.
	if again {
		s.respond(w)
		return
	}
	if due := s.issued.Add(lifetime).Truncate(time.Second).Add(-lifetime / 10); s.now().Before(due) {
		s.premature++
	}
	s.count++
	s.previous, s.current, s.issued = sent, fmt.Sprintf("R%d", s.count), s.now()
	s.respond(w)
}

func (s *issuer) respond(w http.ResponseWriter) {
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": fmt.Sprintf("A%d", s.count), "refresh_token": s.current, "expires_in": int(lifetime / time.Second),
	})
}

func (s *issuer) state() (count, refused, premature int, current, previous string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.refused, s.premature, s.current, s.previous
}
