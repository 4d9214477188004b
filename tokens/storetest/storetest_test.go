package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/storetest"
)

// broken names the fault of a store, in a child process that is meant to fail.
const broken = "STORETEST_BROKEN"

// TestRun_FindsFaults runs the suite on stores with one fault each, in child
// processes, and expects the part that is there for that fault to fail.
func TestRun_FindsFaults(t *testing.T) {
	t.Parallel()
	for fault, part := range map[string]string{
		"forgets a field":          "values",
		"keeps a cleared field":    "values",
		"stores despite an error":  "update_fails",
		"does not lock":            "updates_take_turns",
		"checks the context late":  "context_ends_during_an_update",
		"mixes namespaces":         "keys",
		"accepts any key":          "bad_keys",
		"delete does nothing":      "changes",
		"delete does not wait":     "others_wait_for_an_update",
		"load waits":               "others_wait_for_an_update",
		"stores in two steps":      "updates_take_turns",
		"keys in no order":         "keys",
		"ignores the context":      "others_wait_for_an_update",
		"returns what was before":  "changes",
		"stale between two stores": "changes",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRun_BrokenStore$")
			child.Env = append(os.Environ(), broken+"="+fault)
			output, err := child.CombinedOutput()
			if err == nil || !strings.Contains(string(output), "/"+part) {
				t.Errorf("the suite did not fail in %q: %v\n%s", part, err, output)
			}
		})
	}
}

// TestRun_BrokenStore is the child process.
func TestRun_BrokenStore(t *testing.T) {
	t.Parallel()
	fault := os.Getenv(broken)
	storetest.Run(t, func(*testing.T) (a, b tokens.Store) {
		store := &faulty{Memory: tokens.NewMemory(), fault: fault}
		if fault == "stale between two stores" {
			return store, tokens.NewMemory()
		}
		return store, store
	})
}

type faulty struct {
	*tokens.Memory

	fault    string
	updating sync.RWMutex // held while an update runs
}

func (f *faulty) key(key tokens.Key) tokens.Key {
	if f.fault == "mixes namespaces" {
		key.Namespace = ""
	}
	if _, err := key.Normal(); err != nil && f.fault == "accepts any key" {
		key = tokens.Key{ClientID: "any"}
	}
	return key
}

func (f *faulty) Load(ctx context.Context, key tokens.Key) (tokens.Set, error) {
	if f.fault == "load waits" {
		f.updating.RLock()
		defer f.updating.RUnlock()
	}
	return f.Memory.Load(ctx, f.key(key))
}

func (f *faulty) Delete(ctx context.Context, key tokens.Key) error {
	if f.fault == "delete does nothing" {
		_, err := key.Normal()
		return err
	}
	if f.fault == "delete does not wait" && !f.updating.TryRLock() {
		return ctx.Err()
	} else if f.fault == "delete does not wait" {
		f.updating.RUnlock()
	}
	return f.Memory.Delete(ctx, f.key(key))
}

func (f *faulty) Keys(ctx context.Context) ([]tokens.Key, error) {
	keys, err := f.Memory.Keys(ctx)
	if f.fault == "keys in no order" && len(keys) > 1 {
		keys[0], keys[1] = keys[1], keys[0]
	}
	return keys, err
}

func (f *faulty) Update(ctx context.Context, key tokens.Key, fn func(tokens.Set) (tokens.Set, error)) (tokens.Set, error) {
	key = f.key(key)
	switch f.fault {
	case "forgets a field":
		return f.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
			next, err := fn(current)
			list := next.All()
			for i := range list {
				list[i].IDToken = ""
			}
			if err != nil {
				return next, err
			}
			return tokens.NewSet(list...)
		})
	case "keeps a cleared field":
		return f.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
			next, err := fn(current)
			if err != nil || next.Equal(tokens.Set{}) {
				return next, err
			}
			return current.Merge(next), nil
		})
	case "stores despite an error":
		var fnErr error
		set, err := f.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
			var next tokens.Set
			next, fnErr = fn(current)
			return next, nil
		})
		if fnErr != nil {
			err = fnErr
		}
		return set, err
	case "load waits", "delete does not wait":
		return f.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
			f.updating.Lock()
			defer f.updating.Unlock()
			return fn(current)
		})
	case "stores in two steps":
		var whole tokens.Set
		if _, err := f.Memory.Update(ctx, key, func(current tokens.Set) (next tokens.Set, err error) {
			whole, err = fn(current)
			return whole.Without("second"), err
		}); err != nil {
			return tokens.Set{}, err
		}
		return f.Memory.Update(ctx, key, func(tokens.Set) (tokens.Set, error) { return whole, nil })
	case "does not lock":
		current, err := f.Memory.Load(ctx, key)
		if err != nil {
			return tokens.Set{}, err
		}
		next, err := fn(current)
		if err != nil {
			return tokens.Set{}, err
		}
		return f.Memory.Update(ctx, key, func(tokens.Set) (tokens.Set, error) { return next, nil })
	case "checks the context late":
		return f.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
			next, err := fn(current)
			if err == nil {
				err = ctx.Err()
			}
			return next, err
		})
	case "ignores the context":
		return f.Memory.Update(context.WithoutCancel(ctx), key, fn)
	case "returns what was before":
		var before tokens.Set
		_, err := f.Memory.Update(ctx, key, func(current tokens.Set) (tokens.Set, error) {
			before = current
			return fn(current)
		})
		return before, err
	}
	return f.Memory.Update(ctx, key, fn)
}
