package identitymap

import "time"

const (
	// maxPause is the longest Retry-After that is waited for, beyond what the
	// client's own retry policy waits.
	maxPause = time.Minute
	// maxRefusals is how often a call is sent again after such a wait.
	maxRefusals = 3
)

// throttle decides how many requests are on their way. It halves their number
// when the service answers 429, lets one more out after as many successes as
// there are, and holds everything back for as long as Retry-After says.
type throttle struct {
	most, limit int
	successes   int
	closedUntil time.Time
	refusal     error // with which it was closed
}

func (t *throttle) succeeded() {
	if t.limit == t.most {
		return
	}
	if t.successes++; t.successes >= t.limit {
		t.limit++
		t.successes = 0
	}
}

func (t *throttle) refused(now time.Time, pause time.Duration, err error) {
	t.limit = max(1, t.limit/2)
	t.successes = 0
	if until := now.Add(pause); until.After(t.closedUntil) {
		t.closedUntil = until
		t.refusal = err
	}
}

// closed returns for how long nothing may be sent.
func (t *throttle) closed(now time.Time) time.Duration {
	if t.closedUntil.IsZero() {
		return 0
	}
	left := t.closedUntil.Sub(now)
	if left <= 0 {
		t.closedUntil, t.refusal = time.Time{}, nil
		return 0
	}
	return left
}
