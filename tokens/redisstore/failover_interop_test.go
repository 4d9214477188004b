//go:build interop

package redisstore_test

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/fleettest"
)

// The primary is killed while a program updates without a pause, and its replica is promoted. The update
// that runs then is stored at the new primary, and of those before it at most the last is lost.
func TestStore_Failover(t *testing.T) {
	t.Parallel()
	primary := startServer(t)
	replica := startServer(t, "--replicaof", "127.0.0.1 "+primary.port())
	follows(t, primary, replica)
	var address atomic.Pointer[string]
	address.Store(&primary.Addr)
	store := newStore(t, newClient(t, redis.Options{Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", *address.Load())
	}}), config().With(testLease, time.Second))
	var killed, promoted atomic.Bool
	failover := make(chan error, 1)
	go func() {
		time.Sleep(500 * time.Millisecond)
		primary.kill()
		killed.Store(true)
		time.Sleep(time.Second) // longer than a lease
		err := replica.client(t).Do(t.Context(), "REPLICAOF", "NO", "ONE").Err()
		address.Store(&replica.Addr)
		promoted.Store(true)
		failover <- err
	}()
	acknowledged, lost := 0, 0
	for after := 0; after < 10; {
		late := promoted.Load()
		set, err := store.Update(t.Context(), fleettest.Key(), func(current tokens.Set) (tokens.Set, error) {
			token, _ := current.ByResourceServer("rs")
			n, _ := strconv.Atoi(token.AccessToken)
			lost += max(0, acknowledged-n)
			return fleettest.One(t, strconv.Itoa(n+1)), nil
		})
		switch {
		case err == nil:
			token, _ := set.ByResourceServer("rs")
			acknowledged, _ = strconv.Atoi(token.AccessToken)
		case !killed.Load():
			t.Fatal(err)
		default:
			t.Logf("during the failover: %v", err)
		}
		if late && err == nil {
			after++
		}
	}
	if err := <-failover; err != nil {
		t.Fatal(err)
	}
	t.Logf("of %d acknowledged updates the new primary lacked %d", acknowledged, lost)
	if lost > 1 || acknowledged < 100 {
		t.Errorf("of %d acknowledged updates %d are lost", acknowledged, lost)
	}
}
