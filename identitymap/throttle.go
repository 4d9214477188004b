package identitymap

import (
	"errors"
	"time"

	"github.com/globusauth/globusauth/apierror"
)

const (
	// maxPause is the longest Retry-After that is waited for.
	maxPause = time.Minute
	// maxRefusals is how often a call is sent again after a 429.
	maxRefusals = 10
	// growth is the number of successes after which one more request is allowed.
	growth = 10
)

func rateLimited(err error) bool { return errors.Is(err, apierror.ErrRateLimited) }

// refuse notes a 429: it halves the number of requests in flight, and nothing is
// sent until Retry-After, or else for half a second and twice as long after every
// further refusal.
func (m *Map) refuse(err error, refusals int) {
	pause := time.Second / 2 << refusals
	if refusal, ok := errors.AsType[*apierror.Error](err); ok && refusal.RetryAfter > 0 {
		pause = refusal.RetryAfter
	}
	m.mu.Lock()
	now := time.Now()
	// Requests that were sent together are refused together: that counts once.
	if now.After(m.closedUntil) {
		m.limit = max(1, m.limit/2)
	}
	if until := now.Add(pause); until.After(m.closedUntil) {
		m.closedUntil, m.refusal = until, err
	}
	m.successes = 0
	m.mu.Unlock()
	if m.config.OnPause != nil {
		m.config.OnPause(pause)
	}
}

// succeed allows one more request in flight after some successes.
func (m *Map) succeed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.successes++; m.successes >= growth && m.limit < m.config.Concurrency {
		m.limit++
		m.successes = 0
	}
}

// refused returns the 429 for which nothing may be sent for longer than a pause, or nil.
func (m *Map) refused(pause time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Until(m.closedUntil) <= pause {
		return nil
	}
	return m.refusal
}

// paused reports whether to wait before anything is sent, and if so has the pump run then.
// A pause that is too long fails what is sent.
func (m *Map) paused() bool {
	pause := time.Until(m.closedUntil)
	if pause <= 0 || pause > maxPause {
		return false
	}
	if m.alarm == nil {
		m.alarm = time.AfterFunc(pause, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.alarm = nil
			m.pump()
		})
	}
	return true
}
