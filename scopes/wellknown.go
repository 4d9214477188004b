package scopes

// The names of resource servers are typed strings, so that none can stand in a [List].

// Globus Auth: who a user is, and the management of projects, clients, scopes
// and policies.
const (
	AuthResourceServer string = "auth.globus.org"

	AuthOpenID               Scope = "openid"
	AuthProfile              Scope = "profile"
	AuthEmail                Scope = "email"
	AuthManageProjects       Scope = "urn:globus:auth:scope:auth.globus.org:manage_projects"
	AuthViewAuthentications  Scope = "urn:globus:auth:scope:auth.globus.org:view_authentications"
	AuthViewClients          Scope = "urn:globus:auth:scope:auth.globus.org:view_clients"
	AuthViewClientsAndScopes Scope = "urn:globus:auth:scope:auth.globus.org:view_clients_and_scopes"
	AuthViewConsents         Scope = "urn:globus:auth:scope:auth.globus.org:view_consents"
	AuthViewIdentities       Scope = "urn:globus:auth:scope:auth.globus.org:view_identities"
	AuthViewIdentitySet      Scope = "urn:globus:auth:scope:auth.globus.org:view_identity_set"
)

// Globus Transfer: moving and sharing files.
const (
	TransferResourceServer string = "transfer.api.globus.org"

	TransferAll        Scope = "urn:globus:auth:scope:transfer.api.globus.org:all"
	TransferGCPInstall Scope = "urn:globus:auth:scope:transfer.api.globus.org:gcp_install"
)

// Globus Groups.
const (
	GroupsResourceServer string = "groups.api.globus.org"

	GroupsAll          Scope = "urn:globus:auth:scope:groups.api.globus.org:all"
	GroupsViewMyGroups Scope = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"
)

// Globus Search.
const (
	SearchResourceServer string = "search.api.globus.org"

	SearchAll                 Scope = "urn:globus:auth:scope:search.api.globus.org:all"
	SearchGlobusConnectServer Scope = "urn:globus:auth:scope:search.api.globus.org:globus_connect_server"
	SearchIngest              Scope = "urn:globus:auth:scope:search.api.globus.org:ingest"
	SearchSearch              Scope = "urn:globus:auth:scope:search.api.globus.org:search"
)

// Globus Flows. The scope of one flow is [FlowUser].
const (
	FlowsResourceServer string = "flows.globus.org"

	FlowsAll         Scope = flowsPrefix + "all"
	FlowsManageFlows Scope = flowsPrefix + "manage_flows"
	FlowsViewFlows   Scope = flowsPrefix + "view_flows"
	FlowsRun         Scope = flowsPrefix + "run"
	FlowsRunStatus   Scope = flowsPrefix + "run_status"
	FlowsRunManage   Scope = flowsPrefix + "run_manage"

	flowsClientID = "eec9b274-0c81-4334-bdc2-54e90e689b9a"
	flowsPrefix   = urlPrefix + flowsClientID + "/"
)

// Globus Timers.
const (
	TimersResourceServer string = "524230d7-ea86-4a52-8312-86065a9e0417"

	Timers = Scope(urlPrefix + TimersResourceServer + "/timer")
)

// Globus Compute.
const (
	ComputeResourceServer string = "funcx_service"

	ComputeAll Scope = urlPrefix + computeClientID + "/all"

	computeClientID = "facd7ccc-c5f4-42aa-916b-a0e270e2c2a9"
)

// Nexus, the predecessor of Globus Groups.
const (
	NexusResourceServer string = "nexus.api.globus.org"

	NexusGroups Scope = "urn:globus:auth:scope:nexus.api.globus.org:groups"
)

const (
	urnPrefix = "urn:globus:auth:scope:"
	urlPrefix = "https://auth.globus.org/scopes/"
)

// WellKnown returns the scopes that are constants here. The list is the caller's.
func WellKnown() List {
	return List{
		AuthOpenID, AuthProfile, AuthEmail, AuthManageProjects, AuthViewAuthentications,
		AuthViewClients, AuthViewClientsAndScopes, AuthViewConsents, AuthViewIdentities,
		AuthViewIdentitySet, TransferAll, TransferGCPInstall, GroupsAll, GroupsViewMyGroups,
		SearchAll, SearchGlobusConnectServer, SearchIngest, SearchSearch, FlowsAll,
		FlowsManageFlows, FlowsViewFlows, FlowsRun, FlowsRunStatus, FlowsRunManage,
		Timers, ComputeAll, NexusGroups,
	}
}
