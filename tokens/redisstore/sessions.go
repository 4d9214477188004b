package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sessions are the sessions of a portal's replicas, a login.Sessions. Redis removes
// what has expired. It is safe for concurrent use.
type Sessions struct {
	client redis.UniversalClient
	prefix string
}

// NewSessions checks the configuration. It sends nothing.
func NewSessions(client redis.UniversalClient, config Config) (*Sessions, error) {
	config, err := config.check(client)
	if err != nil {
		return nil, fmt.Errorf("redisstore: new sessions: %w", err)
	}
	return &Sessions{client, config.Prefix + "session:"}, nil
}

// takeTime is how long the data of a session that was taken is kept for an attempt that
// follows where the connection broke. The client makes the last within that time.
const takeTime = 30 * time.Second

// What is stored begins with a mark, a random text: an attempt that follows where the
// connection broke recognises by it what the first one did.
const markSize = 26

// KEYS are a session, and the one that was taken; ARGV[1] is the mark of this Take.
// DEL comes first: a script that has written is not refused for want of memory.
const takeScript = `
local size = #ARGV[1]
local stored = redis.call('GET', KEYS[1])
if stored then
	local data = string.sub(stored, size + 1)
	redis.call('DEL', KEYS[1])
	redis.call('SET', KEYS[2], ARGV[1] .. data, 'PX', ARGV[2])
	return data
end
local taken = redis.call('GET', KEYS[2])
if taken and string.sub(taken, 1, size) == ARGV[1] then return string.sub(taken, size + 1) end
return false`

var take = redis.NewScript(takeScript) //nolint:gochecknoglobals // a constant with its hash

// names returns the keys of a session in Redis. Both have the same text in braces, which is never empty.
func (s *Sessions) names(key string) []string {
	name := s.prefix + "{" + url.QueryEscape(key) + "/}"
	return []string{name, name + ":taken"}
}

// Add stores data under key until expiry, by the server's clock, unless something is
// stored there already. After an error it may be stored.
func (s *Sessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error) {
	mark := rand.Text()
	stored, err := s.client.Do(ctx, "SET", s.names(key)[0], append([]byte(mark), data...), "NX", "GET", "PXAT", expiry.UnixMilli()).Text()
	if errors.Is(err, redis.Nil) || err == nil && strings.HasPrefix(stored, mark) {
		return true, nil
	}
	return false, s.wrap(ctx, "add session", err)
}

// Get returns what is stored under key; nil if nothing is, or it has expired.
func (s *Sessions) Get(ctx context.Context, key string) ([]byte, error) {
	stored, err := s.client.Get(ctx, s.names(key)[0]).Bytes()
	if err == nil {
		if len(stored) < markSize {
			return nil, errors.New("redisstore: get session: the key holds the data of another program: choose another Prefix")
		}
		stored = stored[markSize:]
	}
	return s.found(ctx, "get session", stored, err)
}

// Take is Get, and removes what it returns. Of several callers at once, one gets it.
// After an error it may be removed.
func (s *Sessions) Take(ctx context.Context, key string) ([]byte, error) {
	data, err := take.Run(ctx, s.client, s.names(key), rand.Text(), takeTime.Milliseconds()).Text()
	return s.found(ctx, "take session", []byte(data), err)
}

func (s *Sessions) found(ctx context.Context, verb string, data []byte, err error) ([]byte, error) {
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, s.wrap(ctx, verb, err)
	}
	return data, nil
}

func (s *Sessions) wrap(ctx context.Context, verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %s: %w", verb, explain(ctx, s.client, err))
}
