package identitymap

import "time"

const (
	// maxPause is the longest Retry-After that is waited for, beyond what the
	// client's own retry policy waits.
	maxPause = time.Minute
	// maxRefusals is how often a call is sent again after such a wait.
	maxRefusals = 10
)

// throttle decides how many requests are on their way. It halves their number
// when the service answers 429, lets one more out after every ten successes,
// and holds everything back for as long as the service says.
type throttle struct {
	most, limit int
	successes   int
	closedUntil time.Time
	refusal     error // what a request failed with that closed it, if one did
}

// growth is the number of successes after which one more request is let out.
const growth = 10

func (t *throttle) succeeded() {
	if t.limit == t.most {
		return
	}
	if t.successes++; t.successes == growth {
		t.limit++
		t.successes = 0
	}
}

// refused takes note of a 429. A refusal is the error of a request that was
// given up for it, nil when the client is going to repeat it after the pause.
func (t *throttle) refused(now time.Time, pause time.Duration, refusal error) {
	t.successes = 0
	// Requests that were sent together are refused together: that is one sign
	// of too many, not several.
	if t.closed(now) == 0 {
		t.limit = max(1, t.limit/2)
	}
	if until := now.Add(pause); until.After(t.closedUntil) {
		t.closedUntil, t.refusal = until, refusal
	}
}

// closed returns for how long nothing may be sent.
func (t *throttle) closed(now time.Time) time.Duration {
	return max(0, t.closedUntil.Sub(now))
}

// hopeless says whether a pause is too long to be waited for.
func (t *throttle) hopeless(pause time.Duration) bool {
	return t.refusal != nil && pause > maxPause
}
