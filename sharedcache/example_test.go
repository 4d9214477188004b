package sharedcache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/globusauth/globusauth/sharedcache"
)

// memory is a Cache that is shared by the maps of one process, for tests. It holds values forever.
type memory map[string][]byte

func (m memory) Fetch(ctx context.Context, keys []string, load sharedcache.Load) map[string][]byte {
	values := map[string][]byte{}
	var missing []string
	for _, key := range keys {
		if value, found := m[key]; found {
			values[key] = value
		} else {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		for key, value := range load(ctx, missing) {
			m[key] = value.Data
		}
	}
	return values
}

func ExampleCache() {
	var cache sharedcache.Cache = memory{}
	ask := func(_ context.Context, keys []string) map[string]sharedcache.Value {
		fmt.Println("ask for", keys)
		values := map[string]sharedcache.Value{}
		for _, key := range keys {
			values[key] = sharedcache.Value{Data: []byte("about " + key), TTL: time.Minute}
		}
		return values
	}
	cache.Fetch(context.Background(), []string{"alice"}, ask)
	values := cache.Fetch(context.Background(), []string{"alice", "bob"}, ask)
	fmt.Printf("%s\n", values["alice"])
	// Output:
	// ask for [alice]
	// ask for [bob]
	// about alice
}
