// Package environment is the one table of Globus's environments and the hosts of
// their services.
package environment

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/globusauth/globusauth/scopes"
)

// Production is the default environment.
const Production = "production"

// Hosts returns the hosts of one of Globus's own services in an environment (empty
// means production), the usual one first; nil for other resource servers. An
// unknown environment is an error and never falls back to production.
func Hosts(environment, resourceServer string) ([]string, error) {
	domain, prefix, older := environment+".globuscs.info", environment+".", ""
	switch environment {
	case "", Production:
		domain, prefix, older = "globus.org", "", "globusonline.org"
	case "preview":
		domain = "preview.globus.org"
	case "sandbox", "integration", "test", "staging":
	default:
		return nil, fmt.Errorf("unknown environment %q; known are production, preview, sandbox, integration, test and staging", environment)
	}
	older = cmp.Or(older, domain)
	return slices.Compact(map[string][]string{
		scopes.AuthResourceServer:     {"auth." + domain},
		scopes.TransferResourceServer: {"transfer.api." + domain, "transfer.api." + older},
		scopes.GroupsResourceServer:   {"groups.api." + domain},
		scopes.SearchResourceServer:   {"search.api." + domain},
		scopes.ComputeResourceServer:  {"compute.api." + domain},
		scopes.NexusResourceServer:    {"nexus.api." + older},
		scopes.FlowsResourceServer:    {prefix + "flows.automate.globus.org"},
		scopes.TimersResourceServer:   {prefix + "timer.automate.globus.org"},
	}[resourceServer]), nil
}
