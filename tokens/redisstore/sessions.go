package redisstore

import (
	"context"
	"errors"
	"fmt"
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

// Add stores data under key until expiry, by the server's clock, unless something is
// stored there already. Where the connection breaks, the attempt that follows may
// report the data of the first one as that of another caller.
func (s *Sessions) Add(ctx context.Context, key string, data []byte, expiry time.Time) (added bool, err error) {
	err = s.client.Do(ctx, "SET", s.prefix+key, data, "NX", "PXAT", expiry.UnixMilli()).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, wrap("add session", err)
}

// Get returns what is stored under key; nil if nothing is, or it has expired.
func (s *Sessions) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := s.client.Get(ctx, s.prefix+key).Bytes()
	return found("get session", data, err)
}

// Take is Get, and removes what it returns. Of several callers at once, one gets it.
// Where the connection breaks, no caller may get it.
func (s *Sessions) Take(ctx context.Context, key string) ([]byte, error) {
	data, err := s.client.GetDel(ctx, s.prefix+key).Bytes()
	return found("take session", data, err)
}

func found(verb string, data []byte, err error) ([]byte, error) {
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if data == nil && err == nil {
		data = []byte{}
	}
	return data, wrap(verb, err)
}

func wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %s: %w", verb, explain(err))
}
