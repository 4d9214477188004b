package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/internal/prefix"
	"github.com/globusauth/globusauth/tokens/internal/lease"
)

// Sessions are the sessions of a portal's replicas, a login.Sessions. Redis removes
// what has expired. It is safe for concurrent use.
type Sessions struct {
	client redis.UniversalClient
	prefix string
}

// NewSessions checks the configuration. It sends nothing.
func NewSessions(client redis.UniversalClient, config Config) (_ *Sessions, err error) {
	defer prefix.Add(&err, "redisstore: new sessions")
	if config, err = config.check(client); err != nil {
		return nil, err
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

// names returns the keys of a session in Redis. Both have the same text in braces, which is never empty.
func (s *Sessions) names(key string) []string {
	name := s.prefix + "{" + url.QueryEscape(key) + "/}"
	return []string{name, name + ":taken"}
}

// Add stores data under key until expiry, by the server's clock, unless something is
// stored there already. After an error it may be stored.
func (s *Sessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error) {
	defer prefix.Add(&err, "redisstore: add session")
	mark := rand.Text()
	stored, found, err := s.do(ctx, "SET", s.names(key)[0], append([]byte(mark), data...), "NX", "GET", "PXAT", expiry.UnixMilli())
	return err == nil && (!found || strings.HasPrefix(stored, mark)), err
}

// Get returns what is stored under key; nil if nothing is, or it has expired.
func (s *Sessions) Get(ctx context.Context, key string) (data []byte, err error) {
	defer prefix.Add(&err, "redisstore: get session")
	stored, found, err := s.do(ctx, "GET", s.names(key)[0])
	switch {
	case !found:
		return nil, err
	case len(stored) < markSize:
		return nil, errors.New("the key holds the data of another program: choose another Prefix")
	}
	return []byte(stored[markSize:]), nil
}

// Take is Get, and removes what it returns. Of several callers at once, one gets it.
// After an error it may be removed.
func (s *Sessions) Take(ctx context.Context, key string) (data []byte, err error) {
	defer prefix.Add(&err, "redisstore: take session")
	names := s.names(key)
	taken, found, err := s.do(ctx, "EVAL", takeScript, len(names), names[0], names[1], rand.Text(), takeTime.Milliseconds())
	if !found {
		return nil, err
	}
	return []byte(taken), nil
}

// do sends a command, and returns the reply if there is one.
func (s *Sessions) do(ctx context.Context, command ...any) (reply string, found bool, err error) {
	err = lease.Attempt(ctx, 0, func(ctx context.Context) (err error) {
		reply, err = s.client.Do(ctx, command...).Text()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	return reply, err == nil, explain(ctx, s.client, err)
}
