package spec_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// README.md has the reasons for the conventions.
func TestDocument_SchemasFollowConventions(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for name, ref := range doc.Components.Schemas {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := ref.Value
			if schema.Description == "" {
				t.Error("want a description")
			}
			if has := schema.AdditionalProperties.Has; has != nil && !*has {
				t.Error("additionalProperties is false, but the service may add fields")
			}
			for field, property := range schema.Properties {
				checkProperty(t, field, property)
				switch {
				case strings.HasSuffix(name, "Update"):
					checkNullable(t, field, property.Value)
				case strings.HasSuffix(name, "Create") || strings.HasSuffix(name, "Request") || strings.HasSuffix(name, "Body"):
				default:
					if goType(property.Value) != "" && strings.HasPrefix(goType(property.Value), "nullable.") {
						t.Errorf("%s: responses read as plain values, not as nullable ones", field)
					}
				}
			}
			for _, required := range schema.Required {
				if schema.Properties[required] == nil {
					t.Errorf("required field %s is not described", required)
				}
			}
		})
	}
}

func checkProperty(t *testing.T, field string, ref *openapi3.SchemaRef) {
	t.Helper()
	if ref.Ref != "" {
		return
	}
	schema := ref.Value
	if schema.Description == "" {
		t.Errorf("%s: want a description", field)
	}
	if len(schema.Enum) > 0 {
		t.Errorf("%s: give the enumeration a schema of its own, so that Go has a type for it", field)
	}
	if len(schema.Properties) > 0 {
		t.Errorf("%s: give the object a schema of its own, so that Go has a type for it", field)
	}
	if len(schema.OneOf)+len(schema.AnyOf) > 0 && goType(schema) == "" {
		t.Errorf("%s: alternatives become raw messages in Go unless x-go-type names one type", field)
	}
	if schema.Type.Is("number") && goType(schema) != "unixtime.Time" {
		t.Errorf("%s: numbers of this API are times in Unix seconds", field)
	}
}

// checkNullable requires that a field of a partial update distinguishes absent, null and
// every value.
func checkNullable(t *testing.T, field string, schema *openapi3.Schema) {
	t.Helper()
	if !strings.HasPrefix(goType(schema), "nullable.Nullable[") {
		t.Errorf("%s: x-go-type is %q, want nullable.Nullable[...]", field, goType(schema))
	}
	if skip, _ := schema.Extensions["x-go-type-skip-optional-pointer"].(bool); !skip {
		t.Errorf("%s: want x-go-type-skip-optional-pointer: true", field)
	}
}

func goType(schema *openapi3.Schema) string {
	name, _ := schema.Extensions["x-go-type"].(string)
	return name
}
