// Package provider is the Terraform provider of Globus Auth.
package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// New returns the provider. getenv reads the environment: os.Getenv.
func New(version string, getenv func(string) string) provider.Provider {
	return &globus{version: version, getenv: getenv}
}

type globus struct {
	version string
	getenv  func(string) string
}

var _ provider.ProviderWithEphemeralResources = &globus{}

func (g *globus) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "globusauth", g.version
}

func (g *globus) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	text := func(about, variable string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: about + " Default: `" + variable + "`."}
	}
	secret := func(about, variable string) schema.StringAttribute {
		a := text(about, variable)
		a.Sensitive = true
		return a
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages projects, clients, credentials, scopes and policies of [Globus Auth](https://docs.globus.org/api/auth/).\n\n" +
			"The provider acts as a client (`client_id` and `client_secret`), with a token (`access_token`), or with the login that `globus-auth login` has stored. " +
			"The token needs the scope `urn:globus:auth:scope:auth.globus.org:manage_projects`, and its identity must administer the project.",
		Attributes: map[string]schema.Attribute{
			"client_id":     text("ID of the client that acts as itself, or whose stored login is used.", envClientID),
			"client_secret": secret("Secret of that client.", envClientSecret),
			"access_token":  secret("Access token for `auth.globus.org`. Excludes `client_secret`.", envAccessToken),
			"environment":   text("Globus environment, such as `preview`.", "GLOBUS_SDK_ENVIRONMENT"),
			"base_url":      text("Address of Globus Auth, such as that of an emulator. It must use https, or be on a loopback address.", "GLOBUS_SDK_SERVICE_URL_AUTH"),
			"profile":       text("Profile of the stored login.", envProfile),
			"store":         text("Where the login is stored: `file`, `sqlite` or `keyring`.", envStore),
			"store_dir":     text("Directory of the stored login.", envStoreDir),
		},
	}
}

func (g *globus) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	config := values(fields(req.Config.Raw))
	for name, value := range config {
		if !value.IsKnown() {
			resp.Diagnostics.AddAttributeWarning(path.Root(name), "The provider is not configured yet",
				"The value of "+name+" is known only after something else has been applied. Until then the provider cannot read anything.")
			return
		}
	}
	c, err := g.connect(ctx, config)
	if err != nil {
		resp.Diagnostics.AddError("Cannot use the provider's configuration", explain(err))
		return
	}
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData = c, c, c
}

func (g *globus) Resources(context.Context) []func() resource.Resource {
	var all []func() resource.Resource
	for _, k := range kinds() {
		all = append(all, func() resource.Resource { return &managed{kind: k} })
	}
	return all
}

func (g *globus) DataSources(context.Context) []func() datasource.DataSource {
	all := []func() datasource.DataSource{func() datasource.DataSource { return wellKnownScopes{} }}
	for _, l := range lookups() {
		all = append(all, func() datasource.DataSource { return &found{lookup: l} })
	}
	return all
}

func (g *globus) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{func() ephemeral.EphemeralResource { return &temporaryCredential{} }}
}
