package contract_test

import (
	"slices"
	"testing"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/scopes"
)

// The Globus services of the test double's built-in world have the scopes that package scopes
// knows, and no others.
func TestDefaultWorld_WellKnownScopes(t *testing.T) {
	t.Parallel()
	services := map[string]bool{}
	for _, scope := range scopes.WellKnown() {
		server, _ := scope.ResourceServer()
		services[server] = true
	}
	var found scopes.List
	for _, client := range authtest.DefaultWorld().Clients {
		for _, scope := range client.Scopes {
			if services[client.ResourceServer] {
				found = append(found, scopes.Scope(scope.Scope))
			}
		}
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(scopes.WellKnown())); !slices.Equal(found, want) {
		t.Errorf("authtest/world.yaml has %q, want %q", found, want)
	}
}
