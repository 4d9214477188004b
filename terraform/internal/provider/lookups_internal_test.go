package provider

import (
	"maps"
	"slices"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

// The data source has every scope that package scopes knows.
func TestWellKnown_All(t *testing.T) {
	t.Parallel()
	if got, want := slices.Sorted(maps.Values(wellKnown())), slices.Sorted(slices.Values(scopes.WellKnown())); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
