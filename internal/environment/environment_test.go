package environment_test

import (
	"slices"
	"testing"

	"github.com/globusauth/globusauth/internal/environment"
	"github.com/globusauth/globusauth/scopes"
)

func TestHosts_ByEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environment, resourceServer string
		want                        []string
	}{
		{"", scopes.AuthResourceServer, []string{"auth.globus.org"}},
		{"production", scopes.TransferResourceServer, []string{"transfer.api.globus.org", "transfer.api.globusonline.org"}},
		{"preview", scopes.TransferResourceServer, []string{"transfer.api.preview.globus.org"}},
		{"production", scopes.NexusResourceServer, []string{"nexus.api.globusonline.org"}},
		{"sandbox", scopes.NexusResourceServer, []string{"nexus.api.sandbox.globuscs.info"}},
		{"production", scopes.FlowsResourceServer, []string{"flows.automate.globus.org"}},
		{"test", scopes.TimersResourceServer, []string{"test.timer.automate.globus.org"}},
		{"production", "another", nil},
	} {
		got, err := environment.Hosts(test.environment, test.resourceServer)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s in %q: %q, %v, want %q", test.resourceServer, test.environment, got, err, test.want)
		}
	}
	if hosts, err := environment.Hosts("Production", scopes.AuthResourceServer); err == nil {
		t.Errorf("an unknown environment has the hosts %q", hosts)
	}
}
