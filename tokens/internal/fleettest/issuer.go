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
	grace bool // the previous refresh token gets the current response again

	mu    sync.Mutex
	state state
}

type state struct {
	refreshes, refused, premature int
	current, previous             string // refresh tokens
	issued                        time.Time
}

func newIssuer(t *testing.T, now func() time.Time, grace bool) *issuer {
	t.Helper()
	s := &issuer{now: now, grace: grace, state: state{current: "R0"}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := &i.state
	switch sent := r.PostFormValue("refresh_token"); {
	case sent == s.current:
		// Stored times are whole seconds, so a token is due up to a second earlier.
		if due := s.issued.Add(lifetime).Truncate(time.Second).Add(-lifetime / 10); i.now().Before(due) {
			s.premature++
		}
		s.refreshes++
		s.previous, s.current, s.issued = sent, fmt.Sprintf("R%d", s.refreshes), i.now()
	case !i.grace || sent != s.previous:
		s.refused++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": fmt.Sprintf("A%d", s.refreshes), "refresh_token": s.current, "expires_in": int(lifetime / time.Second),
	})
}

// seen returns what happened until now.
func (i *issuer) seen() state {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}
