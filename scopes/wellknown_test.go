package scopes_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/globusauth/globusauth/scopes"
)

const someID = "11111111-2222-3333-4444-555555555555"

// known is every well-known and dynamic scope of the package, arranged as in the
// recorded collections of the official SDK.
func known() map[string]map[string]scopes.Scope {
	return map[string]map[string]scopes.Scope{
		"AuthScopes": {
			"openid":                  scopes.AuthOpenID,
			"profile":                 scopes.AuthProfile,
			"email":                   scopes.AuthEmail,
			"manage_projects":         scopes.AuthManageProjects,
			"view_authentications":    scopes.AuthViewAuthentications,
			"view_clients":            scopes.AuthViewClients,
			"view_clients_and_scopes": scopes.AuthViewClientsAndScopes,
			"view_consents":           scopes.AuthViewConsents,
			"view_identities":         scopes.AuthViewIdentities,
			"view_identity_set":       scopes.AuthViewIdentitySet,
		},
		"TransferScopes": {"all": scopes.TransferAll, "gcp_install": scopes.TransferGCPInstall},
		"GroupsScopes":   {"all": scopes.GroupsAll, "view_my_groups_and_memberships": scopes.GroupsViewMyGroups},
		"SearchScopes": {
			"all":                   scopes.SearchAll,
			"globus_connect_server": scopes.SearchGlobusConnectServer,
			"ingest":                scopes.SearchIngest,
			"search":                scopes.SearchSearch,
		},
		"FlowsScopes": {
			"all":          scopes.FlowsAll,
			"manage_flows": scopes.FlowsManageFlows,
			"view_flows":   scopes.FlowsViewFlows,
			"run":          scopes.FlowsRun,
			"run_status":   scopes.FlowsRunStatus,
			"run_manage":   scopes.FlowsRunManage,
		},
		"TimersScopes":                       {"timer": scopes.Timers},
		"ComputeScopes":                      {"all": scopes.ComputeAll},
		"NexusScopes":                        {"groups": scopes.NexusGroups},
		"GCSEndpointScopes(" + someID + ")":  {"manage_collections": scopes.EndpointManageCollections(someID)},
		"SpecificFlowScopes(" + someID + ")": {"user": scopes.FlowUser(someID)},
		"GCSCollectionScopes(" + someID + ")": {
			"data_access": scopes.CollectionDataAccess(someID),
			"https":       scopes.CollectionHTTPS(someID),
		},
	}
}

func TestConstants(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Collections map[string]struct {
			ResourceServer string                  `json:"resource_server"`
			Scopes         map[string]scopes.Scope `json:"scopes"`
		} `json:"collections"`
	}
	readJSON(t, "scope_constants.json", &recorded)
	ours := known()
	if len(recorded.Collections) != len(ours) {
		t.Errorf("%d collections recorded, %d here", len(recorded.Collections), len(ours))
	}
	servers := map[string]string{
		"AuthScopes":     scopes.AuthResourceServer,
		"TransferScopes": scopes.TransferResourceServer,
		"GroupsScopes":   scopes.GroupsResourceServer,
		"SearchScopes":   scopes.SearchResourceServer,
		"FlowsScopes":    scopes.FlowsResourceServer,
		"TimersScopes":   scopes.TimersResourceServer,
		"ComputeScopes":  scopes.ComputeResourceServer,
		"NexusScopes":    scopes.NexusResourceServer,
	}
	for name, collection := range recorded.Collections {
		if !maps.Equal(ours[name], collection.Scopes) {
			t.Errorf("%s:\n got %v\nwant %v", name, ours[name], collection.Scopes)
		}
		if server, ok := servers[name]; ok && server != collection.ResourceServer {
			t.Errorf("%s: resource server %q, want %q", name, server, collection.ResourceServer)
		}
		for _, scope := range collection.Scopes {
			for _, form := range []scopes.Scope{scope, scope.Optional(), scope.With("urn:globus:auth:scope:x:y")} {
				if server, ok := form.ResourceServer(); !ok || server != collection.ResourceServer {
					t.Errorf("%s: derived resource server %q, %v, want %q", form, server, ok, collection.ResourceServer)
				}
			}
			if err := (scopes.List{scope}).Validate(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestResourceServer(t *testing.T) {
	t.Parallel()
	tests := map[scopes.Scope]string{
		"https://auth.globus.org/scopes/example.org/all":              "example.org",
		"https://auth.preview.globus.org/scopes/" + someID + "/https": someID,
		"https://auth.test.globuscs.info/scopes/" + someID + "/all":   someID,
		"urn:globus:auth:scope:demo-resource-server:all":              "demo-resource-server",
		"*urn:globus:auth:scope:example.org:all[openid]":              "example.org",
		"": "", "offline_access": "", "custom": "", "openid2": "",
		"urn:globus:auth:scope:": "", "urn:globus:auth:scope:x": "", "urn:globus:auth:scope:x:": "",
		"urn:globus:auth:scope::all": "", "urn:globus:auth:scope:x:y:z": "", "urn:other:x:y": "",
		"https://auth.globus.org/scopes/": "", "https://auth.globus.org/scopes/x": "",
		"https://auth.globus.org/scopes/x/": "", "https://auth.globus.org/scopes//y": "",
		"https://auth.globus.org/scopes/x/y/z": "", "https://auth.globus.org/other/x/y": "",
		"http://auth.globus.org/scopes/x/y": "", "https://auth.globus.org": "",
		"https://auth.globus.org.example.net/scopes/x/y": "", "https://example.net/scopes/x/y": "",
		"https://evil-globus.org/scopes/x/y": "", "https://auth.evilglobus.org/scopes/x/y": "",
		"https://transfer.globus.org/scopes/x/y": "",
	}
	for scope, want := range tests {
		got, ok := scope.ResourceServer()
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", scope, got, ok, want)
		}
	}
}

// An ID that comes from outside must not be able to add a scope or a dependency.
func TestDynamicScopesRefuseOtherIDs(t *testing.T) {
	t.Parallel()
	functions := map[string]func(string) scopes.Scope{
		"CollectionDataAccess":      scopes.CollectionDataAccess,
		"CollectionHTTPS":           scopes.CollectionHTTPS,
		"EndpointManageCollections": scopes.EndpointManageCollections,
		"FlowUser":                  scopes.FlowUser,
	}
	ids := []string{
		"", " ", "x", someID + " ", someID + "/", someID[:35], someID[:35] + "g", strings.ReplaceAll(someID, "-", "0"),
		"x/y " + string(scopes.TransferAll) + " z", "x] y[z", "*", "x\ny", `x"y`, "11111111-2222-3333-4444_555555555555",
	}
	for name, function := range functions {
		for _, id := range ids {
			scope := function(id)
			if strings.ContainsAny(string(scope), " []*\n") {
				t.Errorf("%s(%q) = %q", name, id, scope)
			}
			for _, list := range []scopes.List{{scope}, {scopes.TransferAll.With(scope.Optional())}} {
				if err := list.Validate(); !errors.Is(err, scopes.ErrSyntax) {
					t.Errorf("%s(%q): %v, want ErrSyntax", name, id, err)
				}
			}
		}
		// Globus writes IDs in lower case, and names compare exactly.
		const lower = "abcdefab-cdef-abcd-efab-cdefabcdefab"
		if upper := function(strings.ToUpper(lower)); upper != function(lower) {
			t.Errorf("%s: %s of an ID in capitals", name, upper)
		}
	}
}
