package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/terraform/internal/spec"
)

// lookup is a kind of data source: it finds one object, or several, by exactly one of its keys.
type lookup struct {
	name, about string
	record      string // schema of an object in the spec
	keys        []key
	list        string // attribute that has several objects; empty for one
	find        func(ctx context.Context, auth *globusauth.Client, key string, wanted []string) (entries []any, err error)
}

// key is an attribute by which objects are found.
type key struct {
	spec.Field
	matches string // field of the object that has the value
}

func byID(about string) key {
	return key{Field: spec.Field{Name: "id", Type: "string", Format: "uuid", Description: about}, matches: "id"}
}

func by(name, matches, about string) key {
	return key{Field: spec.Field{Name: name, Type: "string", Description: about}, matches: matches}
}

// several makes a key of a list of values.
func (k key) several(name string) key {
	item := k.Field
	k.Field = spec.Field{Name: name, Type: "array", Items: &item, Description: k.Description}
	return k
}

// found is the data source of a lookup.
type found struct {
	*lookup
	connection *connection
}

var (
	_ datasource.DataSourceWithConfigure      = &found{}
	_ datasource.DataSourceWithValidateConfig = &found{}
)

func (f *found) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + f.name
}

func (f *found) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: f.about, Attributes: map[string]schema.Attribute{}}
	record := spec.Schemas[f.record]
	if f.list != "" {
		entry := record
		record = spec.Field{Fields: []spec.Field{{Name: f.list, Type: "array", Items: &entry, Description: "What was found."}}}
	}
	for _, field := range record.Fields {
		if a := attribute(field, use{computed: true}, describe(field)); a != nil {
			resp.Schema.Attributes[field.Name] = a
		}
	}
	for _, k := range f.keys {
		_, shown := record.Find(k.Name)
		u := use{required: len(f.keys) == 1, optional: len(f.keys) > 1}
		u.computed = shown && u.optional
		resp.Schema.Attributes[k.Name] = attribute(k.Field, u, describe(k.Field))
	}
}

func (f *found) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	f.connection, _ = req.ProviderData.(*connection)
}

func (f *found) ValidateConfig(_ context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	config := values(fields(req.Config.Raw))
	var names []string
	given := 0
	for _, k := range f.keys {
		names = append(names, k.Name)
		if config.given(k.Name) {
			given++
		}
		validate(k.Field, config[k.Name], func(format string, args ...any) {
			resp.Diagnostics.AddAttributeError(path.Root(k.Name), "Invalid "+k.Name, fmt.Sprintf(format, args...))
		})
	}
	if len(names) > 1 && given != 1 {
		resp.Diagnostics.AddAttributeError(path.Root(names[0]), "Invalid "+names[0], "Exactly one of "+strings.Join(names, " and ")+" must be set.")
	}
}

func (f *found) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	config := encodeObject(req.Config.Raw)
	used, wanted := f.wanted(config)
	entries, err := f.call(ctx, used.Name, wanted)
	if err == nil && len(entries) == 0 && len(wanted) > 0 || gone(err) {
		err = &attributeError{used.Name, "Nothing is found for " + quoted(wanted) + ", or this identity may not see it."}
	}
	if missing := used.missing(wanted, entries); err == nil && f.list != "" && len(missing) > 0 {
		err = &attributeError{used.Name, "Nothing is found for " + quoted(missing) + "."}
	}
	m := &managed{kind: &kind{name: f.name}} // for its texts
	if m.diagnose(&resp.Diagnostics, "read", err, req.Config.Raw); err != nil {
		return
	}
	object := map[string]any{}
	if f.list != "" {
		object[f.list] = entries
	} else if len(entries) > 0 {
		object, _ = entries[0].(map[string]any)
	}
	result := map[string]tftypes.Value{}
	for name, value := range fields(req.Config.Raw) {
		if value.IsNull() {
			value = decode(value.Type(), object[name])
		}
		result[name] = value
	}
	resp.State.Raw = tftypes.NewValue(req.Config.Raw.Type(), result)
}

func (f *found) call(ctx context.Context, key string, wanted []string) ([]any, error) {
	if f.connection == nil {
		return nil, errors.New("the provider is not configured: its configuration has values that are not known yet")
	}
	return f.find(ctx, f.connection.auth, key, wanted)
}

// wanted returns the key that the configuration uses, and its values.
func (f *found) wanted(config document) (key, []string) {
	for _, k := range f.keys {
		if text := config.text(k.Name); text != "" {
			return k, []string{text}
		}
		if list := config.texts(k.Name); len(list) > 0 {
			slices.Sort(list)
			return k, list
		}
	}
	return key{}, nil
}

// missing returns the values that no entry has.
func (k key) missing(wanted []string, entries []any) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(value string) bool {
		return slices.ContainsFunc(entries, func(entry any) bool {
			object, _ := entry.(map[string]any)
			return slices.ContainsFunc(leaves(object[k.matches]), func(text string) bool { return strings.EqualFold(text, value) })
		})
	})
}

func quoted(texts []string) string { return `"` + strings.Join(texts, `", "`) + `"` }
