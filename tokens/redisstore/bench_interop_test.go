//go:build interop

package redisstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

// sample is a set as a portal keeps it.
func sample(tb testing.TB, i int) tokens.Set {
	tb.Helper()
	var list []tokens.Token
	for _, server := range []string{"auth.globus.org", "transfer.api.globus.org", "groups.api.globus.org"} {
		list = append(list, tokens.Token{
			AccessToken: fmt.Sprintf("%080d", i), RefreshToken: fmt.Sprintf("%070d", i), TokenType: "Bearer", ResourceServer: server,
			Scope: "urn:globus:auth:scope:" + server + ":all", Expiry: time.Unix(1900000000, 0), Lifetime: 48 * time.Hour,
			IdentityID: "c8aad43e-d274-11e5-bf98-8b02896cf782",
		})
	}
	set, err := tokens.NewSet(list...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// BenchmarkStore loads and changes a login of three tokens, 1.1 kB, among 1 and 10,000 in a Redis on the same machine with an
// append-only file, compared with go-redis sending the same commands and decoding what it loads with encoding/json (floor). The limit
// of the server's memory is 1.3 times that of the same keys and data from SET.
func BenchmarkStore(b *testing.B) {
	logins := 10_000
	if testing.Short() {
		logins = 100
	}
	client, sent := shared.client(b), &commands{}
	client.AddHook(sent)
	used := func() int64 {
		for line := range strings.SplitSeq(client.Info(b.Context(), "memory").Val(), "\r\n") {
			if text, ok := strings.CutPrefix(line, "used_memory:"); ok {
				n, _ := strconv.ParseInt(text, 10, 64)
				return n
			}
		}
		return 0
	}
	for _, count := range []int{1, logins} {
		config := config()
		store := newStore(b, client, config)
		before := used()
		key := func(i int) tokens.Key { return tokens.Key{ClientID: "c", Namespace: strconv.Itoa(i)} }
		for i := range count {
			if _, err := store.Update(b.Context(), key(i), func(tokens.Set) (tokens.Set, error) { return sample(b, i), nil }); err != nil {
				b.Fatal(err)
			}
		}
		memory := float64(used()-before) / float64(count)
		name := config.Prefix + "{c/production//0}"
		data, err := sample(b, 0).MarshalStorage()
		if err != nil {
			b.Fatal(err)
		}
		before = used()
		for i := range count {
			if err := client.Set(b.Context(), fmt.Sprintf("f%s{c/production//%d}", config.Prefix, i), data, 0).Err(); err != nil {
				b.Fatal(err)
			}
		}
		floor := float64(used()-before) / float64(count)
		ctx, names := context.Background(), []string{name, name + ":lease"}
		run := func(script string, args ...any) {
			if err := client.Eval(ctx, script, names, args...).Err(); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("Load/%d", count), func(b *testing.B) {
			compare(b, sent, 1.15, func() {
				data, err := client.Get(ctx, name).Bytes()
				var decoded map[string]map[string]any
				if err != nil || json.Unmarshal(data, &decoded) != nil {
					b.Fatal(err)
				}
			}, func() {
				if _, err := store.Load(ctx, key(0)); err != nil {
					b.Fatal(err)
				}
			})
			if count > 1 { // of one, the rest of the server's memory
				bench.Report(b, memory, "memory-B/login", 1.3*floor)
			}
		})
		n, logins := 0, []tokens.Set{sample(b, 1), sample(b, 2)}
		b.Run(fmt.Sprintf("Update/%d", count), func(b *testing.B) {
			compare(b, sent, 1.3, func() {
				run(redisstore.AcquireScript, "V", 15000)
				run(redisstore.CommitScript, "V", data)
			}, func() {
				n++
				next := logins[n%2] // another one than is stored
				if _, err := store.Update(ctx, key(0), func(tokens.Set) (tokens.Set, error) { return next, nil }); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// commands counts what a client sends.
type commands struct{ sent atomic.Int64 }

func (*commands) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *commands) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		c.sent.Add(1)
		return next(ctx, command)
	}
}

func (c *commands) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, list []redis.Cmder) error {
		c.sent.Add(int64(len(list)))
		return next(ctx, list)
	}
}

func compare(b *testing.B, sent *commands, limit float64, floor, store func()) {
	b.Helper()
	store()
	before := sent.sent.Load()
	store()
	defer bench.Report(b, float64(sent.sent.Load()-before), "commands/op", 2)
	bench.Wall(b, bench.Case{Name: "floor", Run: floor}, bench.Case{Name: "redisstore", Run: store, Limit: limit})
}

// BenchmarkCacheFetch is a hit in the second-level cache, compared with one GET (floor).
func BenchmarkCacheFetch(b *testing.B) {
	client, config, sent := shared.client(b), config(), &commands{}
	client.AddHook(sent)
	cache := newReplica(b, client, config)
	cache.fetch(b.Context(), "alice")
	name := command(b, client, "KEYS", config.Prefix+"*").([]any)[0].(string)
	ctx := context.Background()
	compare(b, sent, 1.3, func() {
		if err := client.Get(ctx, name).Err(); err != nil {
			b.Fatal(err)
		}
	}, func() { cache.fetch(ctx, "alice") })
	if loads(cache) != 1 {
		b.Errorf("%d loads", loads(cache))
	}
}
