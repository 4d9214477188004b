//go:build interop

package redisstore_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/sharedcache"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

// replica is a process with a cache, which counts what it loads and reports.
type replica struct {
	*redisstore.Cache

	loads    atomic.Int32
	problems atomic.Int32
	value    func(key string) (sharedcache.Value, bool)
}

func newReplica(tb testing.TB, client redis.UniversalClient, config redisstore.Config) *replica {
	tb.Helper()
	r := &replica{value: func(key string) (sharedcache.Value, bool) {
		return sharedcache.Value{Data: []byte("about " + key), TTL: time.Minute}, true
	}}
	r.open(tb, client, config, "key")
	return r
}

func (r *replica) open(tb testing.TB, client redis.UniversalClient, config redisstore.Config, key string) {
	tb.Helper()
	var err error
	r.Cache, err = redisstore.NewCache(client, redisstore.CacheConfig{
		Config: config, Seal: newSeal(key), OnError: func(err error) { tb.Log(err); r.problems.Add(1) },
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// fetch returns what is cached or loaded under keys.
func (r *replica) fetch(ctx context.Context, keys ...string) map[string]string {
	values := map[string]string{}
	found := r.Fetch(ctx, keys, func(_ context.Context, missing []string) map[string]sharedcache.Value {
		loaded := map[string]sharedcache.Value{}
		for _, key := range missing {
			r.loads.Add(1)
			if value, ok := r.value(key); ok {
				loaded[key] = value
				values[key] = string(value.Data)
			}
		}
		return loaded
	})
	for key, value := range found {
		values[key] = string(value)
	}
	return values
}

func loads(replicas ...*replica) (sum int) {
	for _, r := range replicas {
		sum += int(r.loads.Load())
	}
	return sum
}

func TestCacheFetch(t *testing.T) {
	t.Parallel()
	client, config := shared.client(t), config()
	a, b := newReplica(t, client, config), newReplica(t, shared.client(t), config)
	want := map[string]string{"alice": "about alice", "bob": "about bob"}
	if got := a.fetch(t.Context(), "alice"); got["alice"] != want["alice"] {
		t.Errorf("got %v", got)
	}
	if got := b.fetch(t.Context(), "alice", "bob"); !maps.Equal(got, want) || loads(b) != 1 {
		t.Errorf("got %v after %d loads, want %v after 1", got, loads(b), want)
	}
	names, _ := command(t, client, "KEYS", config.Prefix+"*").([]any)
	for _, name := range names {
		stored := fmt.Sprint(name, command(t, client, "GET", name))
		if strings.Contains(stored, "alice") || strings.Contains(stored, "bob") {
			t.Errorf("Redis holds %q", stored)
		}
		if ttl, _ := command(t, client, "PTTL", name).(int64); ttl <= 0 || ttl > time.Minute.Milliseconds() {
			t.Errorf("TTL of %d ms", ttl)
		}
	}
	if len(names) != 2 {
		t.Errorf("%d keys", len(names))
	}
}

// What cannot be used is loaded again and replaced.
func TestCacheFetch_UnusableValues(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(client *redis.Client, names []string){
		"another program's": func(client *redis.Client, names []string) { command(t, client, "SET", names[0], "text") },
		"empty":             func(client *redis.Client, names []string) { command(t, client, "SET", names[0], "") },
		"changed":           func(client *redis.Client, names []string) { command(t, client, "SETRANGE", names[0], 20, "x") },
		"of another key": func(client *redis.Client, names []string) {
			command(t, client, "SET", names[0], command(t, client, "GET", names[1]))
			command(t, client, "SET", names[1], command(t, client, "GET", names[0]))
		},
		"a list": func(client *redis.Client, names []string) {
			command(t, client, "DEL", names[0])
			command(t, client, "LPUSH", names[0], "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, config := shared.client(t), config()
			a := newReplica(t, client, config)
			a.fetch(t.Context(), "alice", "bob")
			var names []string
			for _, name := range command(t, client, "KEYS", config.Prefix+"*").([]any) {
				names = append(names, name.(string))
			}
			slices.Sort(names)
			spoil(client, names)
			b := newReplica(t, client, config)
			if got := b.fetch(t.Context(), "alice", "bob"); len(got) != 2 || got["alice"] != "about alice" || got["bob"] != "about bob" {
				t.Errorf("got %v", got)
			}
			if loads(b) == 0 || b.problems.Load() != 1 {
				t.Errorf("%d loads, %d reports", loads(b), b.problems.Load())
			}
		})
	}
	t.Run("sealed with another key", func(t *testing.T) {
		t.Parallel()
		config := config()
		a, b := newReplica(t, shared.client(t), config), newReplica(t, shared.client(t), config)
		b.open(t, shared.client(t), config, "other")
		for range 2 {
			a.fetch(t.Context(), "alice")
			if got := b.fetch(t.Context(), "alice"); got["alice"] != "about alice" {
				t.Errorf("got %v", got)
			}
		}
	})
}

func TestCacheFetch_NotCached(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]sharedcache.Value{
		"too large":    {Data: make([]byte, 64<<10+1), TTL: time.Minute},
		"without time": {Data: []byte("x")},
		"expired":      {Data: []byte("x"), TTL: -time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, config := shared.client(t), config()
			a := newReplica(t, client, config)
			a.value = func(string) (sharedcache.Value, bool) { return value, true }
			a.fetch(t.Context(), "alice")
			if names, _ := command(t, client, "KEYS", config.Prefix+"*").([]any); len(names) != 0 {
				t.Errorf("%d keys", len(names))
			}
		})
	}
}

// Of many processes that want a key at once, one loads it.
func TestCacheFetch_Stampede(t *testing.T) {
	t.Parallel()
	config := config()
	var replicas []*replica
	var wg sync.WaitGroup
	for range 16 {
		r := newReplica(t, shared.client(t), config)
		value := r.value
		r.value = func(key string) (sharedcache.Value, bool) { time.Sleep(100 * time.Millisecond); return value(key) }
		replicas = append(replicas, r)
		wg.Go(func() {
			if got := r.fetch(t.Context(), "alice"); got["alice"] != "about alice" {
				t.Errorf("got %v", got)
			}
		})
	}
	wg.Wait()
	if n := loads(replicas...); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

// A process that fails, or takes too long, or has died, does not keep the others waiting.
func TestCacheFetch_LoadFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first func(a *replica)
		most  time.Duration
	}{
		"fails at once": {first: func(a *replica) {
			a.value = func(string) (sharedcache.Value, bool) { return sharedcache.Value{}, false }
			a.fetch(t.Context(), "alice")
		}, most: time.Second},
		"panics": {first: func(a *replica) {
			defer func() { _ = recover() }()
			a.value = func(string) (sharedcache.Value, bool) { panic("on purpose") }
			a.fetch(t.Context(), "alice")
		}, most: time.Second},
		"takes too long": {first: func(a *replica) {
			started := make(chan struct{})
			a.value = func(string) (sharedcache.Value, bool) {
				close(started)
				time.Sleep(3 * time.Second)
				return sharedcache.Value{}, false
			}
			go a.fetch(context.Background(), "alice")
			<-started
		}, most: 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := config()
			a, b := newReplica(t, shared.client(t), config), newReplica(t, shared.client(t), config)
			test.first(a)
			begin := time.Now()
			if got := b.fetch(t.Context(), "alice", "bob"); len(got) != 2 || loads(b) != 2 || time.Since(begin) > test.most {
				t.Errorf("got %v after %d loads and %v", got, loads(b), time.Since(begin))
			}
		})
	}
}

func TestCacheFetch_ContextEnds(t *testing.T) {
	t.Parallel()
	config := config()
	a, b := newReplica(t, shared.client(t), config), newReplica(t, shared.client(t), config)
	a.value = func(string) (sharedcache.Value, bool) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if got := b.fetch(ctx, "alice"); len(got) != 0 || time.Since(begin) > time.Second {
			t.Errorf("got %v after %v", got, time.Since(begin))
		}
		return sharedcache.Value{}, false
	}
	a.fetch(t.Context(), "alice")
	if b.problems.Load() != 0 {
		t.Error("the end of a context is reported as an outage")
	}
}

// A claim whose response is lost is recognised when the client sends it again.
func TestCacheFetch_ConnectionBreaks(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"request cut", "response cut"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			proxy := fleettest.NewProxy(t, shared.Addr)
			r := newReplica(t, newClient(t, redis.Options{Addr: proxy.Addr().String()}), config())
			proxy.FailAt("\r\nNX\r\n", fault)
			begin := time.Now()
			got := r.fetch(t.Context(), "alice")
			if took := time.Since(begin); got["alice"] != "about alice" || loads(r) != 1 || proxy.Failures() != 1 || took > time.Second {
				t.Errorf("got %v after %d loads, %d failures and %v", got, loads(r), proxy.Failures(), took)
			}
		})
	}
}

// An outage costs a bounded time, once a second, and is reported.
func TestCacheFetch_Outage(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // the kernel accepts, no program reads
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, address := range map[string]string{"not there": server.Addr, "silent": silent.Addr().String()} {
		r := newReplica(t, newClient(t, redis.Options{Addr: address}), config())
		cached := func() bool {
			before := loads(r)
			return r.fetch(t.Context(), "alice")["alice"] == "about alice" && loads(r) == before
		}
		if name == "not there" {
			eventually(t, "the value is cached", cached)
			server.kill()
		}
		reports := r.problems.Load()
		var total time.Duration
		for range 10 {
			begin := time.Now()
			if got := r.fetch(t.Context(), "bob"); got["bob"] != "about bob" {
				t.Errorf("%s: got %v", name, got)
			}
			total += time.Since(begin)
		}
		if total > 700*time.Millisecond || r.problems.Load() != reports+1 {
			t.Errorf("%s: ten fetches took %v; %d reports", name, total, r.problems.Load())
		}
		if name == "silent" {
			continue
		}
		if err := server.start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the cache is used again", cached)
	}
}
