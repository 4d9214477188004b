package sqlitefile

import (
	"runtime"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// The garbage collector must not close a connection that is being closed.
func TestDatabaseClose_GarbageIsCollected(t *testing.T) {
	t.Parallel()
	file := temporary(t)
	edit := func(jsontext.Value) (jsontext.Value, error) { return jsontext.Value(`{"rs":{}}`), nil }
	if err := new(Backend).Edit(t.Context(), file, "n", edit); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				d, err := connect(t.Context(), file, file.Path)
				if err != nil {
					t.Error(err)
					return
				}
				d.close()
			}
		})
	}
	stop := make(chan struct{})
	go func() { defer close(stop); all.Wait() }()
	for {
		select {
		case <-stop:
			return
		default:
			runtime.GC()
		}
	}
}
