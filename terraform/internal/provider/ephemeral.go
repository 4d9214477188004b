package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/terraform/internal/spec"
)

// temporaryCredential is a credential of a client for the time of a run. Its secret is in no state and
// no plan.
type temporaryCredential struct{ connection *connection }

var (
	_ ephemeral.EphemeralResourceWithConfigure = &temporaryCredential{}
	_ ephemeral.EphemeralResourceWithClose     = &temporaryCredential{}
)

func (t *temporaryCredential) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_client_credential"
}

func (t *temporaryCredential) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A credential of a client that exists during a run, for another provider's configuration or a check. It is deleted when the run ends, and its secret is in no state and no plan.",
		Attributes:          map[string]schema.Attribute{},
	}
	for _, f := range spec.Schemas["ClientCredential"].Fields {
		configured := f.Name == "client" || f.Name == "name"
		resp.Schema.Attributes[f.Name] = attribute(f, use{required: configured, computed: !configured}, describe(f))
	}
}

func (t *temporaryCredential) Configure(_ context.Context, req ephemeral.ConfigureRequest, _ *ephemeral.ConfigureResponse) {
	t.connection, _ = req.ProviderData.(*connection)
}

func (t *temporaryCredential) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	m := &managed{kind: clientCredential(), connection: t.connection}
	known := encodeObject(req.Config.Raw)
	var created document
	err := m.try(known, func(auth *globusauth.Client) error {
		body, err := m.body(document{"name": known.text("name")})
		if err == nil {
			created, err = m.calls.create(ctx, auth, known, body)
		}
		return err
	})
	if m.diagnose(&resp.Diagnostics, "create", err, req.Config.Raw); err != nil {
		return
	}
	resp.Result.Raw = m.state(req.Config.Raw, req.Config.Raw, created)
	where, err := json.Marshal(document{"client": known["client"], "id": created["id"]})
	if err == nil {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, "credential", where)...)
	}
}

func (t *temporaryCredential) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	where, problems := req.Private.GetKey(ctx, "credential")
	resp.Diagnostics.Append(problems...)
	var known document
	if json.Unmarshal(where, &known) != nil {
		return // nothing was created
	}
	m := &managed{kind: clientCredential(), connection: t.connection}
	err := m.try(known, func(auth *globusauth.Client) error { return m.calls.delete(ctx, auth, known) })
	if !gone(err) {
		m.diagnose(&resp.Diagnostics, "delete", err, tftypes.Value{})
	}
}
