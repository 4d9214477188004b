package provider

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/globusauth/globusauth/terraform/internal/spec"
)

// use says who sets an attribute: the configuration, the service, or either.
type use struct{ required, optional, computed bool }

// attribute returns the attribute of a field, nil where its type has none. Lists of the API have
// no order, so they are sets. The attributes of package resource/schema fit data sources too.
func attribute(f spec.Field, u use, about string) schema.Attribute {
	secret := f.Format == "password"
	switch {
	case f.Type == "string":
		return schema.StringAttribute{Required: u.required, Optional: u.optional, Computed: u.computed, Sensitive: secret, MarkdownDescription: about}
	case f.Type == "boolean":
		return schema.BoolAttribute{Required: u.required, Optional: u.optional, Computed: u.computed, MarkdownDescription: about}
	case f.Type == "integer":
		return schema.Int64Attribute{Required: u.required, Optional: u.optional, Computed: u.computed, MarkdownDescription: about}
	case f.Type == "number":
		return schema.NumberAttribute{Required: u.required, Optional: u.optional, Computed: u.computed, MarkdownDescription: about}
	case f.Type == "object" && len(f.Fields) > 0:
		return schema.SingleNestedAttribute{Required: u.required, Optional: u.optional, Computed: u.computed, MarkdownDescription: about, Attributes: nested(f, u)}
	case f.Type == "array" && len(f.Items.Fields) > 0:
		return schema.SetNestedAttribute{Required: u.required, Optional: u.optional, Computed: u.computed, MarkdownDescription: about, NestedObject: schema.NestedAttributeObject{Attributes: nested(*f.Items, u)}}
	case f.Type == "array" && f.Items.Type != "":
		return schema.SetAttribute{Required: u.required, Optional: u.optional, Computed: u.computed, MarkdownDescription: about, ElementType: elementType(*f.Items)}
	}
	return nil
}

func elementType(f spec.Field) attr.Type {
	if f.Type == "integer" {
		return types.Int64Type
	}
	return types.StringType
}

// nested returns the attributes within an object. Those of an object that is configured are all
// required: the API has no defaults there.
func nested(f spec.Field, u use) map[string]schema.Attribute {
	within := use{computed: true}
	if u.required || u.optional {
		within = use{required: true}
	}
	attributes := map[string]schema.Attribute{}
	for _, field := range f.Fields {
		if a := attribute(field, within, describe(field)); a != nil {
			attributes[field.Name] = a
		}
	}
	return attributes
}

// describe is the description of the spec, with the values that are possible.
func describe(f spec.Field) string {
	about := strings.Join(strings.Fields(f.Description), " ")
	if len(f.Enum) > 0 {
		about += " One of `" + strings.Join(f.Enum, "`, `") + "`."
	}
	return about
}

// setting is an attribute of a resource, as the three objects of the spec define it.
type setting struct {
	spec.Field
	use
	created, updated bool // whether creations and updates have it
}

// settings merges the objects of creation, update and response. A field that a creation requires is
// required. Any other field that can be set is optional; unless null is one of its values, the service
// chooses the value where the configuration has none. A field of responses alone is computed.
func (k *kind) settings() []setting {
	all := map[string]*setting{}
	get := func(f spec.Field) *setting {
		if all[f.Name] == nil {
			all[f.Name] = &setting{Field: f}
		}
		return all[f.Name]
	}
	for _, f := range spec.Schemas[k.create].Fields {
		s := get(f)
		s.created, s.required, s.Nullable = true, f.Required, f.Clearable()
	}
	for _, f := range spec.Schemas[k.update].Fields {
		s := get(f)
		s.updated, s.Nullable = true, s.Nullable || f.Clearable()
	}
	for _, name := range k.nullable {
		all[name].Nullable = true
	}
	for _, name := range k.parents {
		get(spec.Field{Name: name, Type: "string", Format: "uuid", Description: "ID of the " + strings.TrimSuffix(name, "_id") + "."}).required = true
	}
	for _, f := range spec.Schemas[k.record].Fields {
		s := get(f)
		s.computed = !s.required && (!s.Nullable || !s.created && !s.updated)
	}
	for _, f := range k.extra {
		s := get(f)
		s.required, s.computed = f.Required, !f.Required
	}
	for _, name := range k.omit {
		delete(all, name)
	}
	var result []setting
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		s.optional = !s.required && (s.created || s.updated)
		result = append(result, *s)
	}
	return result
}

// replaced reports whether another value needs another object.
func (s setting) replaced() bool { return !s.updated && (s.required || s.optional) }

func (s setting) describe() string {
	about := describe(s.Field)
	switch {
	case s.replaced():
		about += " Another value replaces the object."
	case s.optional && s.Nullable:
		about += " Left out, it is null."
	case s.optional:
		about += " Left out, it stays as the service has it."
	}
	return about
}
