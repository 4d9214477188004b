package cli_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/scopes"
)

// portal is the confidential client of a running emulator.
func portal(t *testing.T, line string) flows.Config {
	t.Helper()
	var ready authtest.Ready
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		t.Fatal(err)
	}
	client, err := globusauth.New(globusauth.Config{BaseURL: ready.BaseURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTPClient().CloseIdleConnections)
	return flows.Config{
		Auth: client, ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret,
		Scopes: scopes.List{scopes.Scope(ready.DependentGrant.Scope)},
	}
}

// What happened until the end is saved: the next emulator with the same file goes
// on from there.
func TestEmulator_SavedStateContinues(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.yaml")
	line, stop := emulate(t, "--save", state)
	set, err := portal(t, line).ClientCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token := set.All()[0].AccessToken
	stop()
	for _, test := range []struct {
		name   string
		args   []string
		active bool
	}{
		{"the same file", []string{"--save", state}, true},
		{"another file", []string{"--save", state + ".new"}, false},
	} {
		line, stop := emulate(t, test.args...)
		info, err := portal(t, line).Introspect(t.Context(), token, flows.IntrospectOptions{})
		if err != nil || info.Active != test.active {
			t.Errorf("%s: active is %v, want %v; %v", test.name, info != nil && info.Active, test.active, err)
		}
		stop()
	}
}
