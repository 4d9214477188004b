package redisstore

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/tokens"
)

// The scripts of a login. KEYS are its tokens and its lease; ARGV[1] is the version that the
// lease is held under. They are sent whole each time: a server that was started again has forgotten their
// hashes, and Commit is not to take a second round trip for that.
const (
	own = `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
`
	// SET fails here, before an update begins, where the server is full, a replica or cannot write.
	acquireScript = `
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[1] then return 0 end
local data = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {data}`
	extendScript = own + `return redis.call('PEXPIRE', KEYS[2], ARGV[2])`
	// DEL comes first: a script that has written is not refused for want of memory.
	commitScript = own + `redis.call('DEL', KEYS[2])
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1`
	releaseScript = own + `return redis.call('DEL', KEYS[2])`
)

// backend is a lease.Backend.
type backend struct {
	client redis.UniversalClient
	prefix string
}

// name returns the key of a login in Redis. A Cluster keeps keys with the same text in braces together.
func (b *backend) name(key tokens.Key) string {
	return b.prefix + "{" + url.QueryEscape(key.ClientID) + "/" + url.QueryEscape(key.Environment) + "/" +
		url.QueryEscape(key.Address) + "/" + url.QueryEscape(key.Namespace) + "}"
}

// key is the reverse of name.
func (b *backend) key(name string) (key tokens.Key, ok bool) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(name, b.prefix+"{"), "}"), "/")
	if len(parts) != 4 {
		return tokens.Key{}, false
	}
	for i, field := range []*string{&key.ClientID, &key.Environment, &key.Address, &key.Namespace} {
		var err error
		if *field, err = url.QueryUnescape(parts[i]); err != nil {
			return tokens.Key{}, false
		}
	}
	normal, err := key.Normal()
	return key, err == nil && normal == key
}

func (b *backend) Load(ctx context.Context, key tokens.Key) ([]byte, error) {
	data, err := b.client.Get(ctx, b.name(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return data, explain(ctx, b.client, err)
}

// run runs a script.
func (b *backend) run(ctx context.Context, script string, key tokens.Key, args ...any) (reply any, err error) {
	name := b.name(key)
	reply, err = b.client.Eval(ctx, script, []string{name, name + ":lease"}, args...).Result()
	return reply, explain(ctx, b.client, err)
}

func (b *backend) Acquire(ctx context.Context, key tokens.Key, version string, duration time.Duration) (data []byte, acquired bool, err error) {
	reply, err := b.run(ctx, acquireScript, key, version, duration.Milliseconds())
	list, acquired := reply.([]any)
	if acquired && len(list) == 1 {
		if text, stored := list[0].(string); stored {
			data = []byte(text)
		}
	}
	return data, acquired, err
}

func (b *backend) Extend(ctx context.Context, key tokens.Key, version string, duration time.Duration) error {
	_, err := b.run(ctx, extendScript, key, version, duration.Milliseconds())
	return err
}

func (b *backend) Commit(ctx context.Context, key tokens.Key, version string, data []byte) (stored bool, err error) {
	reply, err := b.run(ctx, commitScript, key, version, data)
	return reply == int64(1), err
}

func (b *backend) Release(ctx context.Context, key tokens.Key, version string) error {
	_, err := b.run(ctx, releaseScript, key, version)
	return err
}

func (b *backend) Keys(ctx context.Context) ([]tokens.Key, error) {
	var mu sync.Mutex
	found := map[tokens.Key]struct{}{} // a scan may return a key twice
	scan := func(ctx context.Context, node *redis.Client) error {
		names := node.Scan(ctx, 0, b.prefix+"{*}", 1000).Iterator()
		for names.Next(ctx) {
			if key, ok := b.key(names.Val()); ok {
				mu.Lock()
				found[key] = struct{}{}
				mu.Unlock()
			}
		}
		return names.Err()
	}
	var err error
	switch client := b.client.(type) {
	case *redis.ClusterClient:
		err = client.ForEachMaster(ctx, scan)
	case *redis.Client:
		err = scan(ctx, client)
	}
	if err != nil {
		return nil, explain(ctx, b.client, err)
	}
	var keys []tokens.Key
	for key := range found {
		keys = append(keys, key)
	}
	return keys, nil
}
