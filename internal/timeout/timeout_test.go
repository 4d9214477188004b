package timeout_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/globusauth/globusauth/internal/timeout"
)

func TestWith_Suspended(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		limit     time.Duration
		suspended time.Duration // during the last second of the limit
		speed     time.Duration // of the clock, beside the usual one
		want      time.Duration
	}{
		"a short limit":       {limit: time.Second, want: time.Second},
		"not a whole step":    {limit: 12 * time.Second, want: 12 * time.Second},
		"a late timer":        {limit: 12 * time.Second, suspended: time.Second / 5, want: 12 * time.Second},
		"suspended, 3 s":      {limit: time.Second, suspended: 3 * time.Second, want: 2 * time.Second},
		"suspended":           {limit: 12 * time.Second, suspended: time.Hour, want: 14 * time.Second},
		"suspended, one step": {limit: 5 * time.Second, suspended: time.Hour, want: 10 * time.Second},
		"the clock went back": {limit: 12 * time.Second, suspended: -time.Hour, want: 12 * time.Second},
		"the clock is fast":   {limit: 10 * time.Second, speed: 1000, want: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var shift atomic.Int64
				start := time.Now()
				now := func() time.Time {
					passed := time.Since(start)
					return start.Add(passed + row.speed*passed + time.Duration(shift.Load()))
				}
				ctx, cancel := timeout.With(t.Context(), row.limit, now)
				defer cancel()
				time.Sleep(row.limit - time.Second/2)
				shift.Store(int64(row.suspended))
				<-ctx.Done()
				if took := time.Since(start); took != row.want || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
					t.Errorf("ended after %v (%v), want %v", took, context.Cause(ctx), row.want)
				}
			})
		})
	}
}

func TestWith_EndsEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		parent, cancelParent := context.WithCancel(t.Context())
		child, cancel := timeout.With(parent, time.Minute, time.Now)
		defer cancel()
		other, cancelOther := timeout.With(t.Context(), time.Minute, time.Now)
		cancelParent()
		cancelOther()
		<-child.Done()
		<-other.Done()
		if time.Since(start) != 0 || !errors.Is(context.Cause(other), context.Canceled) {
			t.Errorf("ended after %v with %v", time.Since(start), context.Cause(other))
		}
	})
}

func TestWith_NoLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := timeout.With(t.Context(), 0, time.Now)
		defer cancel()
		time.Sleep(24 * time.Hour) // virtual
		if err := ctx.Err(); err != nil {
			t.Error(err)
		}
	})
}
