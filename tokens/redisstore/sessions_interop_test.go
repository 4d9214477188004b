//go:build interop

package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/tokens/internal/fleettest"
	"github.com/globusauth/globusauth/tokens/redisstore"
)

// A connection that fails does not change what Add and Take report, although the client sends them again.
func TestSessions_ConnectionFails(t *testing.T) {
	t.Parallel()
	for step, text := range map[string]string{"add": "PXAT\r\n", "take": redisstore.TakeScript} {
		for _, fault := range fleettest.Faults() {
			t.Run(step+" "+fault, func(t *testing.T) {
				t.Parallel()
				proxy, config := fleettest.NewProxy(t, shared.Addr), config()
				sessions := newSessions(t, newClient(t, redis.Options{Addr: proxy.Addr().String()}), config)
				others := newSessions(t, shared.client(t), config)
				proxy.FailAt(text, fault)
				if added, err := sessions.Add(t.Context(), "k", []byte("data"), time.Now().Add(time.Hour)); !added || err != nil {
					t.Errorf("Add: %v, %v", added, err)
				}
				if data, err := sessions.Take(t.Context(), "k"); string(data) != "data" || err != nil {
					t.Errorf("Take: %q, %v", data, err)
				}
				if data, err := others.Take(t.Context(), "k"); data != nil || err != nil {
					t.Errorf("another Take: %q, %v", data, err)
				}
				if proxy.Failures() != 1 {
					t.Errorf("%d failures", proxy.Failures())
				}
			})
		}
	}
}
