package authtest

import (
	"time"

	"github.com/globusauth/globusauth/scopes"
)

// Fixed values of the built-in world.
const (
	nativeClientID       = "a0000000-0000-4000-8000-000000000001"
	confidentialClientID = "a0000000-0000-4000-8000-000000000002"
	templateID           = "a0000000-0000-4000-8000-000000000003"
	collectionID         = "c0000000-0000-4000-8000-000000000001"
	projectID            = "b0000000-0000-4000-8000-000000000001"
	policyID             = "b0000000-0000-4000-8000-000000000002"
	universityID         = "d0000000-0000-4000-8000-000000000001"
	globusIDProviderID   = "41143743-f3c8-4d60-bbdb-eeecaba85bd9"
	commandLineID        = "95fdeba8-fac2-42bd-a357-e068d82ff78e" // of Globus' own command-line client
	clientProviderID     = "3a74877b-e2a3-44b1-8958-ede1031b1827"
	authClientID         = "e0000000-0000-4000-8000-000000000001"

	confidentialSecret = "fake-secret-of-the-built-in-confidential-client"
	confidentialURI    = "http://127.0.0.1:8000/callback"
	builtinFQDN        = "portal.example.edu"
	jobsScope          = "https://auth.globus.org/scopes/" + confidentialClientID + "/jobs"
)

// DefaultWorld returns the built-in world, a new value each time:
//
//   - the resource servers Globus Auth, Transfer, Groups, Search, Flows, Timers,
//     Compute and Nexus with their well-known scopes, one collection, and the
//     scopes of any other collection, endpoint or flow; the template of Globus'
//     own command-line client;
//   - the identity providers Example University (example.edu) and Globus ID
//     (globusid.org);
//   - alice@example.edu with the linked identity alice@globusid.org,
//     bob@example.edu and carol@globusid.org;
//   - a native client; a confidential client with a secret, the redirect URI
//     http://127.0.0.1:8000/callback, the host name portal.example.edu and a scope
//     that depends on Transfer's "all" and Groups'
//     "view_my_groups_and_memberships"; a native client that is a template;
//   - a project administered by alice, to which these clients belong, and a
//     high-assurance policy in it with a timeout of an hour.
//
// [Server.Ready] has the IDs and secrets.
func DefaultWorld() World {
	hour := 3600
	return World{
		Providers: []Provider{
			{ID: universityID, Name: "Example University", ShortName: "example", Domains: []string{"example.edu"}},
			{ID: globusIDProviderID, Name: "Globus ID", ShortName: "globusid", Domains: []string{"globusid.org"}},
		},
		Users: []User{
			{
				ID: "f0000000-0000-4000-8000-000000000001", Username: "alice@example.edu", Name: "Alice Adams",
				Email: "alice@example.edu", Organization: "Example University",
				Linked: []User{{
					ID: "f0000000-0000-4000-8000-000000000011", Username: "alice@globusid.org", Name: "Alice Adams",
					Email: "alice.adams@example.org",
				}},
			},
			{
				ID: "f0000000-0000-4000-8000-000000000002", Username: "bob@example.edu", Name: "Bob Brown",
				Email: "bob@example.edu", Organization: "Example University",
			},
			{
				ID: "f0000000-0000-4000-8000-000000000003", Username: "carol@globusid.org", Name: "Carol Clark",
				Email: "carol@example.org",
			},
		},
		Clients: append(services(),
			Client{
				ID: nativeClientID, Name: "Example command-line tool", Type: "public_installed_client", Project: projectID,
				Public: true,
			},
			Client{
				ID: confidentialClientID, Name: "Example portal", Type: "hybrid_confidential_client_resource_server",
				Project: projectID, Public: true,
				Credentials: []Credential{{
					ID: "a0000000-0000-4000-8000-000000000012", Name: "built-in", Secret: confidentialSecret,
					Created: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
				}},
				RedirectURIs: []string{confidentialURI},
				FQDNs:        []string{builtinFQDN},
				Scopes: []Scope{{
					ID: "a0000000-0000-4000-8000-000000000022", Scope: jobsScope, Name: "Run jobs",
					Description: "Run jobs on the example portal, which moves your files and reads your groups.",
					DependsOn: []Dependency{
						{Scope: string(scopes.TransferAll)},
						{Scope: string(scopes.GroupsViewMyGroups)},
					},
				}},
			},
			Client{
				ID: templateID, Name: "Example tool template", Type: "public_installed_client", Project: projectID,
				Template: true, Public: true,
			},
		),
		Projects: []Project{{
			ID: projectID, Name: "Example project", ContactEmail: "alice@example.edu",
			AdminIDs: []string{"f0000000-0000-4000-8000-000000000001"},
		}},
		Policies: []Policy{{
			ID: policyID, Project: projectID, Name: "Fresh sign-in", HighAssurance: true, Timeout: &hour,
			Description: "The identity itself has signed in within the last hour.",
		}},
	}
}

// services returns the resource servers of Globus, and its command-line client,
// which are in every world.
func services() []Client {
	known := func(id string, scope scopes.Scope, name string) Scope {
		return Scope{ID: id, Scope: string(scope), Name: name, Description: name + "."}
	}
	scope := func(scope scopes.Scope, name string) Scope { return known("", scope, name) }
	server := func(id, name, resourceServer string, owned ...Scope) Client {
		return Client{
			ID: id, Name: name, Type: "resource_server", Public: true, ResourceServer: resourceServer, Scopes: owned,
		}
	}
	return []Client{
		server(authClientID, "Globus Auth", scopes.AuthResourceServer,
			scope(scopes.AuthOpenID, "Know who you are in Globus"),
			scope(scopes.AuthProfile, "Know some details about you"),
			scope(scopes.AuthEmail, "Know your email address"),
			scope(scopes.AuthManageProjects, "Manage your projects, clients, scopes and policies"),
			scope(scopes.AuthViewAuthentications, "View your authentications"),
			scope(scopes.AuthViewClients, "View your clients"),
			scope(scopes.AuthViewClientsAndScopes, "View your clients and their scopes"),
			scope(scopes.AuthViewConsents, "View your consents"),
			scope(scopes.AuthViewIdentities, "View identities"),
			scope(scopes.AuthViewIdentitySet, "View your linked identities")),
		server("2fbdda78-a599-4cb5-ac3d-1fbcfbc6a754", "Globus Transfer", scopes.TransferResourceServer,
			known("80fa5a88-ae26-4db7-be3a-c5f4cf4ac8d2", scopes.TransferAll, "Transfer and share files"),
			scope(scopes.TransferGCPInstall, "Install Globus Connect Personal")),
		server("04896e9e-b98e-437e-becd-8084b9e234a0", "Globus Groups", scopes.GroupsResourceServer,
			scope(scopes.GroupsAll, "View and manage your groups"),
			known("73320ffe-4cb4-4b25-a0a3-83d53d59ce4f", scopes.GroupsViewMyGroups, "View your groups and memberships")),
		server("e0000000-0000-4000-8000-000000000002", "Globus Search", scopes.SearchResourceServer,
			scope(scopes.SearchAll, "Search and manage indices"),
			scope(scopes.SearchGlobusConnectServer, "Index from Globus Connect Server"),
			scope(scopes.SearchIngest, "Add to search indices"),
			scope(scopes.SearchSearch, "Search")),
		server("eec9b274-0c81-4334-bdc2-54e90e689b9a", "Globus Flows", scopes.FlowsResourceServer,
			scope(scopes.FlowsAll, "Manage and run flows"),
			scope(scopes.FlowsManageFlows, "Manage flows"),
			scope(scopes.FlowsViewFlows, "View flows"),
			scope(scopes.FlowsRun, "Run flows"),
			scope(scopes.FlowsRunStatus, "View runs"),
			scope(scopes.FlowsRunManage, "Manage runs")),
		server(scopes.TimersResourceServer, "Globus Timers", scopes.TimersResourceServer,
			scope(scopes.Timers, "Schedule transfers")),
		server("facd7ccc-c5f4-42aa-916b-a0e270e2c2a9", "Globus Compute", scopes.ComputeResourceServer,
			scope(scopes.ComputeAll, "Run functions")),
		server("e0000000-0000-4000-8000-000000000003", "Nexus", scopes.NexusResourceServer,
			scope(scopes.NexusGroups, "View your groups")),
		server(collectionID, "Example collection", collectionID,
			scope(scopes.CollectionDataAccess(collectionID), "Access data on the example collection"),
			scope(scopes.CollectionHTTPS(collectionID), "Access files on the example collection over HTTPS")),
		{
			ID: "e0000000-0000-4000-8000-000000000004", Name: "Endpoint or collection", Type: "globus_connect_server", Public: true,
			Scopes: []Scope{
				known("e0000000-0000-4000-8000-000000000101", "urn:globus:auth:scope:"+anyUUID+":manage_collections", "Manage collections of the endpoint"),
				known("e0000000-0000-4000-8000-000000000102", scopeURL+anyUUID+"/data_access", "Access data on the collection"),
				known("e0000000-0000-4000-8000-000000000103", scopeURL+anyUUID+"/https", "Access files on the collection over HTTPS"),
			},
		},
		{
			ID: "e0000000-0000-4000-8000-000000000005", Name: "Flow", Type: "resource_server", Public: true,
			Scopes: []Scope{known("e0000000-0000-4000-8000-000000000104", scopeURL+anyUUID+"/flow_"+anyUUIDName+"_user", "Run the flow")},
		},
		{ID: commandLineID, Name: "Globus CLI", Type: "public_installed_client", Template: true, Public: true},
	}
}
