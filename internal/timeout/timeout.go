// Package timeout limits how long a request may take, without losing a response
// that has arrived while the process was suspended.
package timeout

import (
	"context"
	"time"
)

// step is how finely time is counted, and how long a process that was suspended has to read
// what waits in its sockets.
const step = 5 * time.Second

// late is how late a timer has to be for the process to count as suspended. A stop that
// is shorter can lose a response only if it ends with the limit.
const late = step / 20

// With returns a context that ends after limit, with context.DeadlineExceeded as its
// context.Cause, or when its parent ends or cancel is called. Time in which the process did not
// run (job control, a sleeping machine), as the clock now shows it, counts only in part: in
// any case another 5 seconds remain after it. A limit of zero is none. The caller must call cancel.
func With(parent context.Context, limit time.Duration, now func() time.Time) (ctx context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancelCause(parent)
	count := func() {
		suspended := false
		for left := limit; left > 0; {
			wait, began := min(left, step), now().Round(0) // the wall clock advances while a machine sleeps
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			// Once in a row: a clock that runs fast must not stop the count.
			suspended = !suspended && now().Sub(began) > wait+late
			if !suspended {
				left -= wait
			}
		}
		end(context.DeadlineExceeded)
	}
	if limit > 0 {
		go count()
	}
	return ctx, func() { end(context.Canceled) }
}
