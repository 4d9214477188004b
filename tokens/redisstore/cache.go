package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/sharedcache"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

const (
	maxValue = 64 << 10
	// claimTime is how long a process may load a key while the others wait.
	claimTime = 2 * time.Second
	pollPause = 20 * time.Millisecond
	// cacheTimeout limits one exchange with Redis, outagePause is how long none is tried after it.
	cacheTimeout = 250 * time.Millisecond
	outagePause  = time.Second

	// What is stored begins with one of these.
	claimMark = 'c' // a process loads the value
	valueMark = 'v' // then comes the sealed value
)

// CacheConfig configures a [Cache]. Seal is required.
type CacheConfig struct {
	Config

	// Seal encrypts values, with a key that all processes share. What cannot be decrypted is
	// loaded again.
	Seal tink.AEAD
	// OnError, if set, is told why Redis was not used, at most once a second; for a log.
	OnError func(error)
}

// Cache is a [sharedcache.Cache] on Redis. It is safe for concurrent use.
//
// Of several processes that want a key at once, one loads it. The others wait for 2 seconds at
// most, then each loads it itself; they do not wait for a process that failed. So a key costs
// one request while the service responds within 2 seconds.
//
// When Redis does not respond, a Fetch takes up to half a second longer, and for the
// second that follows Redis is not asked. Values of more than 64 KiB are not cached.
type Cache struct {
	client redis.UniversalClient
	config CacheConfig

	next     atomic.Int64 // when Redis is asked again after an outage, in Unix nanoseconds
	reported atomic.Int64 // when OnError was called
}

var _ sharedcache.Cache = (*Cache)(nil)

// NewCache checks the configuration. It sends nothing.
func NewCache(client redis.UniversalClient, config CacheConfig) (_ *Cache, err error) {
	defer prefix.Add(&err, "redisstore: new cache")
	if config.Config, err = config.check(client); err != nil {
		return nil, err
	}
	if config.Seal == nil {
		return nil, errors.New("the Seal is nil: pass an AEAD, such as one of tink-go")
	}
	if config.OnError == nil {
		config.OnError = func(error) {}
	}
	return &Cache{client: client, config: config}, nil
}

// Format prints the cache without its key, whatever the verb.
func (c *Cache) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "redisstore.Cache{%q}", c.config.Prefix)
}

// name is the name of a key in Redis. It does not show who the key is about, and has a bounded length.
func (c *Cache) name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return c.config.Prefix + "cache:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Fetch returns what is cached under keys and loads the rest. See [sharedcache.Cache].
func (c *Cache) Fetch(ctx context.Context, keys []string, load sharedcache.Load) map[string][]byte {
	values := make(map[string][]byte, len(keys))
	begin, pending := time.Now(), keys
	for {
		r, err := c.claim(ctx, pending)
		switch {
		case ctx.Err() != nil:
			return values
		case err != nil: // an outage, or an earlier one
			load(ctx, pending)
			return values
		}
		maps.Copy(values, r.found)
		if len(r.claimed) > 0 {
			c.load(ctx, r.claimed, load)
		}
		pending = r.loading
		switch {
		case len(pending) == 0:
			return values
		case time.Since(begin) >= claimTime:
			c.load(ctx, pending, load)
			return values
		case !lease.Sleep(ctx, pollPause):
			return values
		}
	}
}

// claims is what is known about keys.
type claims struct {
	found   map[string][]byte
	claimed []string // to be loaded by this process
	loading []string // being loaded by others
}

// claim gets the values of keys, and claims those that have none, in one exchange.
func (c *Cache) claim(ctx context.Context, keys []string) (claims, error) {
	own := string(claimMark) + rand.Text() // an attempt that follows a broken connection recognises its claim
	replies := make([]*redis.Cmd, len(keys))
	err := c.exchange(ctx, func(ctx context.Context, pipe redis.Pipeliner) {
		for i, key := range keys {
			replies[i] = pipe.Do(ctx, "SET", c.name(key), own, "NX", "GET", "PX", claimTime.Milliseconds())
		}
	})
	if err != nil {
		return claims{}, err
	}
	r := claims{found: map[string][]byte{}}
	for i, key := range keys {
		stored, err := replies[i].Text()
		switch {
		case errors.Is(err, redis.Nil), stored == own:
			r.claimed = append(r.claimed, key)
		case strings.HasPrefix(stored, string(claimMark)):
			r.loading = append(r.loading, key)
		default:
			if r.found[key], err = c.open(key, stored); err != nil {
				delete(r.found, key)
				r.claimed = append(r.claimed, key) // to be replaced
				c.report(err)
			}
		}
	}
	return r, nil
}

func (c *Cache) open(key, stored string) ([]byte, error) {
	if stored == "" || stored[0] != valueMark || len(stored) > 2*maxValue {
		return nil, errors.New("redisstore: cache: a value that this package did not store is ignored: choose another Prefix")
	}
	value, err := c.config.Seal.Decrypt([]byte(stored[1:]), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("redisstore: cache: a value cannot be decrypted and is ignored; do all processes have the same keys? %w", err)
	}
	return value, nil
}

// load calls load, stores what it returns, and ends the claims of the rest.
func (c *Cache) load(ctx context.Context, keys []string, load sharedcache.Load) {
	begin := time.Now()
	var loaded map[string]sharedcache.Value
	defer func() { // also if load panics
		_ = c.exchange(context.WithoutCancel(ctx), func(ctx context.Context, pipe redis.Pipeliner) {
			for _, key := range keys {
				value, found := loaded[key]
				sealed, err := c.seal(key, value)
				switch {
				case found && err == nil:
					pipe.Set(ctx, c.name(key), sealed, value.TTL)
				case time.Since(begin) < claimTime: // later it may be the claim of another process
					pipe.Del(ctx, c.name(key))
				}
			}
		})
	}()
	loaded = load(ctx, keys)
}

func (c *Cache) seal(key string, value sharedcache.Value) ([]byte, error) {
	if len(value.Data) > maxValue || value.TTL < time.Millisecond {
		return nil, errors.New("not to be cached")
	}
	sealed, err := c.config.Seal.Encrypt(value.Data, []byte(key))
	return append([]byte{valueMark}, sealed...), err
}

var errOutage = errors.New("redisstore: cache: Redis did not respond a moment ago")

// exchange sends commands, unless Redis failed within the last second.
func (c *Cache) exchange(ctx context.Context, fill func(context.Context, redis.Pipeliner)) error {
	if time.Now().UnixNano() < c.next.Load() {
		return errOutage
	}
	limited, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	pipe := c.client.Pipeline()
	fill(limited, pipe)
	_, err := pipe.Exec(limited)
	if errors.Is(err, redis.Nil) { // the reply that nothing is stored
		err = nil
	}
	if err != nil && ctx.Err() == nil { // the caller is still there
		c.next.Store(time.Now().Add(outagePause).UnixNano())
		c.report(fmt.Errorf("redisstore: cache: %w", explain(ctx, c.client, err)))
	}
	return err
}

func (c *Cache) report(err error) {
	now, last := time.Now().UnixNano(), c.reported.Load()
	if now-last >= int64(time.Second) && c.reported.CompareAndSwap(last, now) {
		c.config.OnError(err)
	}
}
