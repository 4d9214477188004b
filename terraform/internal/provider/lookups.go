package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

// lookups are the data sources that ask the service.
func lookups() []*lookup {
	username := by("username", "username", "Username with its domain, such as `alice@example.edu`.")
	domain := by("domain", "domains", "Domain of usernames, such as `example.edu`.")
	return []*lookup{
		{
			name: "identity", record: "Identity", find: findIdentities, keys: []key{byID("Identity ID."), username},
			about: "An identity: a person's, or a client's. It is never created.",
		},
		{
			name: "identities", record: "Identity", find: findIdentities, list: "identities",
			keys:  []key{byID("Identity IDs.").several("ids"), username.several("usernames")},
			about: "Several identities. Each must exist. None is created.",
		},
		{
			name: "identity_provider", record: "IdentityProvider", find: findProviders, keys: []key{byID("Identity provider ID."), domain},
			about: "An identity provider, such as a university.",
		},
		{
			name: "identity_providers", record: "IdentityProvider", find: findProviders, list: "identity_providers",
			keys:  []key{byID("Identity provider IDs.").several("ids"), domain.several("domains")},
			about: "Several identity providers. Each must exist.",
		},
		{
			name: "project", record: "Project", find: findOne("project", (*globusauth.Client).GetProject), keys: []key{byID("Project ID.")},
			about: "A project that the caller administers.",
		},
		{
			name: "client", record: "ClientRecord", find: findClient, keys: []key{byID("Client ID."), by("fqdn", "fqdns", "Host name of the client.")},
			about: "A client that is public, or in a project that the caller administers.",
		},
		{
			name: "scope", record: "Scope", find: findScopes,
			keys:  []key{byID("Scope ID."), by("scope_string", "scope_string", "The string that requests use.")},
			about: "A scope, for the ID that `dependent_scopes` needs. It is visible if it is advertised, or its client is.",
		},
		{
			name: "policy", record: "Policy", find: findOne("policy", (*globusauth.Client).GetPolicy), keys: []key{byID("Policy ID.")},
			about: "An authentication policy of a project that the caller administers.",
		},
		{
			name: "userinfo", record: "Userinfo",
			find: func(ctx context.Context, auth *globusauth.Client, _ string, _ []string) ([]any, error) {
				claims, err := receive("", func(response option) error {
					_, err := auth.GetUserinfo(ctx, response)
					return err
				})
				return []any{map[string]any(claims)}, err
			},
			about: "The identity that the provider acts as. The token needs the scope `openid`, and `profile`, `email` and `view_identity_set` for more.",
		},
	}
}

// findOne finds by ID.
func findOne[R any](envelope string, send func(*globusauth.Client, context.Context, string, ...option) (*R, error)) func(context.Context, *globusauth.Client, string, []string) ([]any, error) {
	return func(ctx context.Context, auth *globusauth.Client, _ string, wanted []string) ([]any, error) {
		one, err := reads(envelope, send)(ctx, auth, document{"id": wanted[0]})
		return []any{map[string]any(one)}, err
	}
}

// listed returns the entries of a list.
func listed(name string, send func(response option) error) ([]any, error) {
	whole, err := receive("", send)
	entries, _ := whole[name].([]any)
	return entries, err
}

func findIdentities(ctx context.Context, auth *globusauth.Client, key string, wanted []string) ([]any, error) {
	params := &gen.GetIdentitiesParams{IDs: wanted}
	if key == "username" || key == "usernames" {
		params = &gen.GetIdentitiesParams{Usernames: wanted}
	}
	return listed("identities", func(response option) error {
		_, err := auth.GetIdentities(ctx, params, response)
		return err
	})
}

func findProviders(ctx context.Context, auth *globusauth.Client, key string, wanted []string) ([]any, error) {
	params := &gen.GetIdentityProvidersParams{IDs: wanted}
	if key == "domain" || key == "domains" {
		params = &gen.GetIdentityProvidersParams{Domains: wanted}
	}
	return listed("identity_providers", func(response option) error {
		_, err := auth.GetIdentityProviders(ctx, params, response)
		return err
	})
}

func findScopes(ctx context.Context, auth *globusauth.Client, key string, wanted []string) ([]any, error) {
	params := &gen.GetScopesParams{IDs: wanted}
	if key == "scope_string" {
		params = &gen.GetScopesParams{ScopeStrings: wanted}
	}
	return listed("scopes", func(response option) error {
		_, err := auth.GetScopes(ctx, params, response)
		return err
	})
}

func findClient(ctx context.Context, auth *globusauth.Client, key string, wanted []string) ([]any, error) {
	if key == "id" {
		return findOne("client", (*globusauth.Client).GetClient)(ctx, auth, key, wanted)
	}
	whole, err := receive("", func(response option) error {
		_, err := auth.GetClients(ctx, &gen.GetClientsParams{FQDN: wanted[0]}, response)
		return err
	})
	if one, ok := whole["client"]; ok { // sources disagree about the response
		return []any{one}, err
	}
	entries, _ := whole["clients"].([]any)
	return entries, err
}

// wellKnown are the scopes of the Globus services, by service and name.
func wellKnown() map[string]scopes.Scope {
	return map[string]scopes.Scope{
		"openid":                       scopes.AuthOpenID,
		"profile":                      scopes.AuthProfile,
		"email":                        scopes.AuthEmail,
		"auth_manage_projects":         scopes.AuthManageProjects,
		"auth_view_authentications":    scopes.AuthViewAuthentications,
		"auth_view_clients":            scopes.AuthViewClients,
		"auth_view_clients_and_scopes": scopes.AuthViewClientsAndScopes,
		"auth_view_consents":           scopes.AuthViewConsents,
		"auth_view_identities":         scopes.AuthViewIdentities,
		"auth_view_identity_set":       scopes.AuthViewIdentitySet,
		"compute_all":                  scopes.ComputeAll,
		"flows_all":                    scopes.FlowsAll,
		"flows_manage_flows":           scopes.FlowsManageFlows,
		"flows_run":                    scopes.FlowsRun,
		"flows_run_manage":             scopes.FlowsRunManage,
		"flows_run_status":             scopes.FlowsRunStatus,
		"flows_view_flows":             scopes.FlowsViewFlows,
		"groups_all":                   scopes.GroupsAll,
		"groups_view_my_groups":        scopes.GroupsViewMyGroups,
		"nexus_groups":                 scopes.NexusGroups,
		"search_all":                   scopes.SearchAll,
		"search_globus_connect_server": scopes.SearchGlobusConnectServer,
		"search_ingest":                scopes.SearchIngest,
		"search_search":                scopes.SearchSearch,
		"timers":                       scopes.Timers,
		"transfer_all":                 scopes.TransferAll,
		"transfer_gcp_install":         scopes.TransferGCPInstall,
	}
}

// wellKnownScopes is the data source of the well-known scopes. It sends no request.
type wellKnownScopes struct{}

func (wellKnownScopes) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_well_known_scopes"
}

func (wellKnownScopes) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The scopes of the Globus services by service and name, such as `transfer_all`. They are part of the provider: nothing is requested.",
		Attributes: map[string]schema.Attribute{
			"scopes": schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Scope strings by name."},
		},
	}
}

func (wellKnownScopes) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	texts := map[string]string{}
	for name, scope := range wellKnown() {
		texts[name] = string(scope)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, struct {
		Scopes map[string]string `tfsdk:"scopes"`
	}{texts})...)
}
