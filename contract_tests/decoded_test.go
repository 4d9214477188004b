package contract_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/globusauth/globusauth/gen"
)

// withSecrets encodes the types with secrets as they are on the wire.
var withSecrets = jsonv2.JoinMarshalers(
	jsonv2.MarshalToFunc(func(e *jsontext.Encoder, v gen.TokenResponse) error {
		type plain gen.TokenResponse
		return jsonv2.MarshalEncode(e, plain(v))
	}),
	jsonv2.MarshalToFunc(func(e *jsontext.Encoder, v gen.ResourceServerToken) error {
		type plain gen.ResourceServerToken
		return jsonv2.MarshalEncode(e, plain(v))
	}),
	jsonv2.MarshalToFunc(func(e *jsontext.Encoder, v gen.ClientCredential) error {
		type plain gen.ClientCredential
		return jsonv2.MarshalEncode(e, plain(v))
	}),
)

// checkDecoded encodes the decoded value and checks that no field of the recorded
// response that the spec names is lost. Null, empty and absent are equal; times are
// compared as times.
func checkDecoded(t *testing.T, rec record, decoded any) {
	t.Helper()
	text, err := jsonv2.Marshal(decoded, jsonv1.DefaultOptionsV1(), jsonv2.WithMarshalers(withSecrets))
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var ours, recorded any
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(rec.response.JSON, &recorded); err != nil {
		t.Fatal(err)
	}
	route, _, err := theSpec(t).router.FindRoute(requestOf(t, rec))
	if err != nil {
		t.Fatal(err)
	}
	schema := responseSchema(route.Operation, rec.response.Status)
	if _, isList := recorded.([]any); isList {
		// The dependent grant returns a bare list, which is read as other_tokens.
		object, ok := ours.(map[string]any)
		if !ok {
			t.Fatalf("got %s", text)
		}
		ours = object["other_tokens"]
	}
	if slices.Contains(nested, rec.label) {
		object, ok := recorded.(map[string]any)
		if !ok {
			t.Fatalf("recorded is not nested: %s", rec.response.JSON)
		}
		recorded = object["client"]
	}
	c := comparison{}
	c.fields(schema, recorded, ours, "")
	if c.compared == 0 && !empty(recorded) {
		t.Error("nothing was compared")
	}
	for _, problem := range c.problems {
		t.Error(problem)
	}
}

// nested are responses with the whole document again under "client": a mistake of
// the recording, which the client accepts.
var nested = []string{
	"create_native_app_instance/default", "create_native_app_instance/template_id_str",
	"create_native_app_instance/template_id_uuid", "create_native_app_instance/name",
}

type comparison struct {
	compared int
	problems []string
}

func (c *comparison) lost(pointer string, recorded, ours any) {
	c.problems = append(c.problems, fmt.Sprintf("at %s: recorded %s, got %s", pointer, jsonText(recorded), jsonText(ours)))
}

func (c *comparison) fields(schema *openapi3.Schema, recorded, ours any, pointer string) {
	if empty(recorded) {
		if !empty(ours) {
			c.lost(pointer, recorded, ours)
		}
		return
	}
	switch recorded := recorded.(type) {
	case map[string]any:
		object, ok := ours.(map[string]any)
		if !ok {
			c.lost(pointer, recorded, ours)
			return
		}
		free := schema.AdditionalProperties.Has != nil && *schema.AdditionalProperties.Has
		for name, field := range recorded {
			at := pointer + "/" + name
			next := fieldSchema(schema, name)
			switch {
			case next != nil:
				c.fields(next, field, object[name], at)
			case free:
				c.same(field, object[name], at)
			}
		}
	case []any:
		items, ok := ours.([]any)
		if !ok || len(items) != len(recorded) {
			c.lost(pointer, recorded, ours)
			return
		}
		for i := range recorded {
			c.fields(itemSchema(schema), recorded[i], items[i], fmt.Sprintf("%s/%d", pointer, i))
		}
	case string:
		if schema.Format == "date-time" {
			c.sameTime(recorded, ours, pointer)
			return
		}
		c.same(recorded, ours, pointer)
	default:
		c.same(recorded, ours, pointer)
	}
}

func (c *comparison) same(recorded, ours any, pointer string) {
	c.compared++
	a, isNumber := recorded.(float64)
	b, ok := ours.(float64)
	if isNumber && ok && math.Abs(a-b) < 1e-6 { // unixtime keeps microseconds
		return
	}
	if !reflect.DeepEqual(recorded, ours) {
		c.lost(pointer, recorded, ours)
	}
}

func (c *comparison) sameTime(recorded string, ours any, pointer string) {
	c.compared++
	text, _ := ours.(string)
	want, err := time.Parse(time.RFC3339Nano, recorded)
	if err != nil {
		c.problems = append(c.problems, fmt.Sprintf("at %s: recorded %v", pointer, err))
		return
	}
	got, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !got.Equal(want) {
		c.lost(pointer, recorded, ours)
	}
}

// empty reports whether a value decodes to the zero value of its field.
func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case float64:
		return value == 0
	case string:
		return value == "" || value == "0001-01-01T00:00:00Z"
	case []any:
		return len(value) == 0
	case map[string]any:
		for _, field := range value {
			if !empty(field) {
				return false
			}
		}
		return true
	}
	return false
}
