package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/terraform/internal/spec"
)

const (
	timeoutsName   = "timeouts"
	defaultTimeout = 5 * time.Minute
)

// kind is a kind of resource. All kinds share one implementation: attributes have the names of the
// API's fields, so that values become bodies, and responses become values, by their names alone.
type kind struct {
	name, about            string
	create, update, record string   // names of schemas in the spec
	envelope               string   // around the object in a body
	parents                []string // attributes of the path and of the import ID, before the ID
	extra                  []spec.Field
	omit                   []string
	nullable               []string          // optional attributes that are null where they are left out, beside those of the spec
	derived                map[string]string // an attribute that changes with another one
	unique                 string            // the attribute that a conflict is about
	check                  func(config values, report report)
	calls                  calls
	// clients returns the clients to try in turn until one is not refused; nil is the provider's.
	clients func(c *connection, known document) ([]*globusauth.Client, error)
	// held lists what an object has that belongs to it.
	held func(ctx context.Context, auth *globusauth.Client, known document) ([]string, error)
	// cascades says that a deletion also deletes what is held; otherwise the service refuses it.
	cascades bool
	// kept says why a deletion sends nothing; empty for most.
	kept string
}

// calls are the operations of a kind. known has the ID and what else is known about the object.
type calls struct {
	create, update func(ctx context.Context, auth *globusauth.Client, known document, body []byte) (document, error)
	read           func(ctx context.Context, auth *globusauth.Client, known document) (document, error)
	delete         func(ctx context.Context, auth *globusauth.Client, known document) error
}

// managed is the resource of a kind.
type managed struct {
	*kind
	connection *connection
}

var (
	_ resource.ResourceWithConfigure      = &managed{}
	_ resource.ResourceWithImportState    = &managed{}
	_ resource.ResourceWithModifyPlan     = &managed{}
	_ resource.ResourceWithValidateConfig = &managed{}
)

func (m *managed) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + m.name
}

func (m *managed) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: m.about, Attributes: map[string]schema.Attribute{
		timeoutsName: timeouts.Attributes(ctx, timeouts.Opts{Create: true, Read: true, Update: m.update != "", Delete: true}),
	}}
	for _, s := range m.settings() {
		if a := attribute(s.Field, s.use, s.describe()); a != nil {
			resp.Schema.Attributes[s.Name] = a
		}
	}
}

func (m *managed) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	m.connection, _ = req.ProviderData.(*connection) // nil while the configuration is validated
}

func (m *managed) ValidateConfig(_ context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	config := values(fields(req.Config.Raw))
	report := func(name, format string, args ...any) {
		resp.Diagnostics.AddAttributeError(path.Root(name), "Invalid "+name, fmt.Sprintf(format, args...))
	}
	for _, s := range m.settings() {
		if value := config[s.Name]; s.required || s.optional {
			validate(s.Field, value, func(format string, args ...any) { report(s.Name, format, args...) })
		}
	}
	if m.check != nil {
		m.check(config, report)
	}
}

// ModifyPlan marks what is replaced, warns about what else is deleted, and keeps the computed values that
// an update does not change.
func (m *managed) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	prior := fields(req.State.Raw)
	if req.Plan.Raw.IsNull() {
		m.warnBeforeDelete(ctx, encodeObject(req.State.Raw), &resp.Diagnostics)
		return
	}
	if req.State.Raw.IsNull() {
		if m.connection != nil {
			_, err := m.use(encodeObject(req.Plan.Raw))
			m.diagnose(&resp.Diagnostics, "create", err, req.Plan.Raw)
		}
		return
	}
	plan, config := fields(req.Plan.Raw), fields(req.Config.Raw)
	for _, s := range m.settings() {
		set := s.Nullable || !config[s.Name].IsNull() // otherwise the service chooses
		if s.replaced() && set && !plan[s.Name].Equal(prior[s.Name]) {
			resp.RequiresReplace = append(resp.RequiresReplace, path.Root(s.Name))
		}
	}
	for name, source := range m.derived {
		if !plan[source].Equal(prior[source]) && len(resp.RequiresReplace) == 0 {
			resp.Diagnostics.AddAttributeWarning(path.Root(source), "The "+name+" changes", "Another "+source+" changes it in place. Programs that still use the old one fail.")
		}
	}
	for name := range plan {
		source := m.derived[name]
		if !plan[name].IsKnown() && config[name].IsNull() && (source == "" || plan[source].Equal(prior[source])) {
			plan[name] = prior[name]
		}
	}
	resp.Plan.Raw = tftypes.NewValue(req.Plan.Raw.Type(), plan)
	if len(resp.RequiresReplace) > 0 {
		m.warnBeforeDelete(ctx, encodeObject(req.State.Raw), &resp.Diagnostics)
	}
}

// warnBeforeDelete warns about what else a deletion deletes.
func (m *managed) warnBeforeDelete(ctx context.Context, known document, diagnostics *diag.Diagnostics) {
	if m.kept != "" {
		diagnostics.AddWarning("The "+m.title()+" stays at the service", m.kept)
		return
	}
	if !m.cascades || m.connection == nil {
		return
	}
	list := m.list(ctx, known)
	if len(list) > 0 {
		diagnostics.AddWarning(fmt.Sprintf("Deleting the %s %s deletes more", m.title(), known.text("name")),
			"The service deletes with it:\n  - "+strings.Join(list, "\n  - "))
	}
}

// list returns what is held; empty if the service does not say.
func (m *managed) list(ctx context.Context, known document) []string {
	if m.held == nil {
		return nil
	}
	clients, err := m.use(known)
	if err != nil {
		return nil
	}
	list, _ := m.held(ctx, clients[0], known) // only for a message
	return list
}

func (m *managed) title() string { return strings.ReplaceAll(m.name, "_", " ") }

// use returns the clients for an object.
func (m *managed) use(known document) ([]*globusauth.Client, error) {
	if m.connection == nil {
		return nil, errors.New("the provider is not configured: its configuration has values that are not known yet")
	}
	if m.clients == nil {
		return []*globusauth.Client{m.connection.auth}, nil
	}
	return m.clients(m.connection, known)
}

// try calls with each client of an object until one is not refused. Where all are, the error is that of
// the first one.
func (m *managed) try(known document, call func(auth *globusauth.Client) error) error {
	clients, err := m.use(known)
	for n, auth := range clients {
		next := call(auth)
		if refused := errors.Is(next, apierror.ErrForbidden) || errors.Is(next, apierror.ErrUnauthorized); !refused {
			return next
		}
		if n == 0 {
			err = next
		}
	}
	return err
}

// within limits the time of an operation as its attribute "timeouts" says.
func within(ctx context.Context, diagnostics *diag.Diagnostics, get func(context.Context, path.Path, any) diag.Diagnostics,
	limit func(timeouts.Value, context.Context, time.Duration) (time.Duration, diag.Diagnostics),
) (context.Context, context.CancelFunc) {
	var configured timeouts.Value
	diagnostics.Append(get(ctx, path.Root(timeoutsName), &configured)...)
	duration := defaultTimeout
	if !configured.IsNull() && !configured.IsUnknown() {
		var problems diag.Diagnostics
		duration, problems = limit(configured, ctx, defaultTimeout)
		diagnostics.Append(problems...)
	}
	return context.WithTimeout(ctx, duration)
}

// body writes the body of a request.
func (m *managed) body(object document) ([]byte, error) {
	if m.envelope == "" {
		return json.Marshal(object)
	}
	return json.Marshal(document{m.envelope: object})
}

func (m *managed) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx, cancel := within(ctx, &resp.Diagnostics, req.Plan.GetAttribute, timeouts.Value.Create)
	defer cancel()
	known, object := encodeObject(req.Plan.Raw), document{}
	for _, s := range m.settings() {
		if value := known[s.Name]; s.created && value != nil {
			object[s.Name] = value
		}
	}
	body, err := m.body(object)
	var created document
	if err == nil {
		err = m.try(known, func(auth *globusauth.Client) error {
			created, err = m.calls.create(ctx, auth, known, body)
			return err
		})
	}
	if err == nil && created.text("id") == "" {
		err = errors.New("the response has no ID: look for the new object, and import it")
	}
	if _, refused := errors.AsType[*apierror.Error](err); err != nil && !refused {
		err = fmt.Errorf("%w\n\nIf the request reached the service, the %s exists: look for it before the next apply, and import it", err, m.title())
	}
	if m.diagnose(&resp.Diagnostics, "create", err, req.Plan.Raw); err == nil {
		resp.State.Raw = m.state(req.Plan.Raw, tftypes.Value{}, created)
	}
}

func (m *managed) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx, cancel := within(ctx, &resp.Diagnostics, req.State.GetAttribute, timeouts.Value.Read)
	defer cancel()
	known := encodeObject(req.State.Raw)
	var read document
	err := m.try(known, func(auth *globusauth.Client) (err error) {
		read, err = m.calls.read(ctx, auth, known)
		return err
	})
	if gone(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if m.diagnose(&resp.Diagnostics, "read", err, req.State.Raw); err == nil {
		resp.State.Raw = m.state(req.State.Raw, req.State.Raw, read)
	}
}

func (m *managed) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx, cancel := within(ctx, &resp.Diagnostics, req.Plan.GetAttribute, timeouts.Value.Update)
	defer cancel()
	plan, prior, object := fields(req.Plan.Raw), fields(req.State.Raw), document{}
	for _, s := range m.settings() {
		if s.updated && plan[s.Name].IsKnown() && !plan[s.Name].Equal(prior[s.Name]) {
			object[s.Name] = encode(plan[s.Name])
			if plan[s.Name].IsNull() && s.Type == "object" {
				object[s.Name] = cleared(s.Field)
			}
		}
	}
	if len(object) == 0 { // only the timeouts change
		resp.State.Raw = m.state(req.Plan.Raw, req.State.Raw, nil)
		return
	}
	body, err := m.body(object)
	known := encodeObject(req.State.Raw)
	var updated document
	if err == nil {
		err = m.try(known, func(auth *globusauth.Client) error {
			updated, err = m.calls.update(ctx, auth, known, body)
			return err
		})
	}
	if m.diagnose(&resp.Diagnostics, "update", err, req.Plan.Raw); err == nil {
		resp.State.Raw = m.state(req.Plan.Raw, req.State.Raw, updated)
	}
}

func (m *managed) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx, cancel := within(ctx, &resp.Diagnostics, req.State.GetAttribute, timeouts.Value.Delete)
	defer cancel()
	if m.kept != "" {
		return // the plan has said so
	}
	known := encodeObject(req.State.Raw)
	err := m.try(known, func(auth *globusauth.Client) error { return m.calls.delete(ctx, auth, known) })
	if gone(err) {
		return
	}
	if list := m.list(ctx, known); errors.Is(err, apierror.ErrConflict) && len(list) > 0 {
		err = fmt.Errorf("%w\n\nIt still has:\n  - %s", err, strings.Join(list, "\n  - "))
	}
	m.diagnose(&resp.Diagnostics, "delete", err, tftypes.Value{})
}

// ImportState takes the ID, after those of the parents: client/credential.
func (m *managed) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	names := append(slices.Clone(m.parents), "id")
	parts := strings.Split(req.ID, "/")
	if len(parts) != len(names) || slices.Contains(parts, "") {
		resp.Diagnostics.AddError("Invalid import ID", fmt.Sprintf("Use %s; %q has another form.", m.importForm(), req.ID))
		return
	}
	for n, name := range names {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(name), parts[n])...)
	}
}

func (m *managed) importForm() string {
	names := append(slices.Clone(m.parents), "")
	return strings.ReplaceAll("<"+strings.Join(names, " ID>/<")+"ID>", "_id ID", " ID")
}

// cleared is an object that sets all its fields to null.
func cleared(f spec.Field) document {
	object := document{}
	for _, field := range f.Fields {
		object[field.Name] = nil
	}
	return object
}

// state is the new state: what the response has, else what was planned, else what was known before.
// The service never shows a secret again.
func (m *managed) state(plan, prior tftypes.Value, response document) tftypes.Value {
	planned, before := fields(plan), fields(prior)
	result := map[string]tftypes.Value{}
	for name, value := range planned {
		if !value.IsKnown() {
			value = tftypes.NewValue(value.Type(), nil)
			if known, ok := before[name]; ok && known.IsKnown() {
				value = known
			}
		}
		result[name] = value
	}
	for _, s := range m.settings() {
		value, given := response[s.Name]
		if !given || value == nil && s.Format == "password" {
			continue
		}
		if value == nil && s.Type == "array" && !s.Nullable {
			value = []any{} // these lists are never null
		}
		result[s.Name] = decode(result[s.Name].Type(), value)
	}
	return tftypes.NewValue(plan.Type(), result)
}
