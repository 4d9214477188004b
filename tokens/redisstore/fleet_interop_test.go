//go:build interop

package redisstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/identitymap"
	"github.com/globusauth/globusauth/resourceserver"
)

// Eight replicas that are asked about one caller at once send one introspection and one
// lookup of the identity. Without Redis each sends its own.
func TestCache_Replicas(t *testing.T) {
	t.Parallel()
	const (
		replicas = 8
		apiID    = "3f4c6a1e-9a5b-4f0e-8b61-6b1f5d2c7a10"
		jobs     = "https://auth.globus.org/scopes/" + apiID + "/jobs"
	)
	for name, test := range map[string]struct {
		address string
		want    int // requests of each kind
	}{
		"with Redis":    {shared.Addr, 1},
		"without Redis": {"127.0.0.1:1", replicas},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := authtest.New(t)
			if err := service.Add(authtest.World{Clients: []authtest.Client{
				{ID: apiID, Name: "API", Secret: "api-secret", Scopes: []authtest.Scope{{Scope: jobs, Name: "jobs"}}},
			}}); err != nil {
				t.Fatal(err)
			}
			alice := service.AddUser(authtest.User{Username: "alice@physics.example.edu"})
			token := service.Issue(authtest.Grant{Client: service.Ready().NativeClientID, User: alice.Username, Scopes: []string{jobs}})[0].AccessToken
			auth, err := globusauth.New(globusauth.Config{BaseURL: service.BaseURL(), HTTPClient: service.Client()})
			if err != nil {
				t.Fatal(err)
			}
			service.Inject(authtest.Fault{Kind: authtest.FaultLatency, Latency: 100 * time.Millisecond})
			config := config()
			var wg sync.WaitGroup
			for range replicas {
				cache := newReplica(t, newClient(t, redis.Options{Addr: test.address}), config)
				api, err := resourceserver.New(resourceserver.Config{
					OAuth: flows.Config{Auth: auth, ClientID: apiID, ClientSecret: "api-secret"}, SharedCache: cache,
				})
				if err != nil {
					t.Fatal(err)
				}
				people, err := identitymap.New(identitymap.Config{Client: auth.WithCredentials(globusauth.Basic(apiID, "api-secret")), SharedCache: cache})
				if err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					for range 3 {
						caller, err := api.Authenticate(t.Context(), token)
						if err != nil {
							t.Error(err)
							return
						}
						if who, err := people.Get(t.Context(), caller.Username); err != nil || who.Username != alice.Username {
							t.Errorf("%v, %v", who, err)
						}
					}
				})
			}
			wg.Wait()
			counts := map[string]int{}
			for _, request := range service.Requests() {
				counts[request.Operation]++
			}
			if len(counts) != 2 || counts["introspect"] != test.want || counts["getIdentities"] != test.want {
				t.Errorf("requests %v, want %d of each", counts, test.want)
			}
		})
	}
}
