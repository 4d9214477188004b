package turns

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTurnsEnter_OneAtATimeAndNothingLeft(t *testing.T) {
	t.Parallel()
	var turns Turns[string]
	var running [4]atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			leave, err := turns.Enter(t.Context(), strconv.Itoa(i%4))
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			if running[i%4].Add(1) != 1 {
				t.Error("two have the turn of one key")
			}
			running[i%4].Add(-1)
		})
	}
	all.Wait()
	leave, err := turns.Enter(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		if _, err := turns.Enter(ctx, "0"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	cancel()
	all.Wait()
	if _, err := turns.Enter(ctx, "free"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a context that has ended", err)
	}
	leave()
	if len(turns.keys) != 0 {
		t.Errorf("%d keys are left", len(turns.keys))
	}
}
