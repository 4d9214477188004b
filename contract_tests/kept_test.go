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

// checkKept writes the decoded value as JSON again and wants every member of
// the recorded answer that the spec names in it, with its value. Null, empty
// and absent read alike; times are compared as times.
func checkKept(t *testing.T, rec record, decoded any) {
	t.Helper()
	text, err := jsonv2.Marshal(decoded, jsonv1.DefaultOptionsV1(), jsonv2.WithMarshalers(withSecrets))
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var ours, recorded any
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(rec.answer.JSON, &recorded); err != nil {
		t.Fatal(err)
	}
	route, _, err := theSpec(t).router.FindRoute(requestOf(t, rec))
	if err != nil {
		t.Fatal(err)
	}
	schema := answerSchema(route.Operation, rec.answer.Status)
	if _, isList := recorded.([]any); isList {
		// The dependent grant answers a bare list, which is read as other_tokens.
		object, ok := ours.(map[string]any)
		if !ok {
			t.Fatalf("got %s", text)
		}
		ours = object["other_tokens"]
	}
	if slices.Contains(nested, rec.label) {
		object, ok := recorded.(map[string]any)
		if !ok {
			t.Fatalf("recorded is not nested: %s", rec.answer.JSON)
		}
		recorded = object["client"]
	}
	k := keeper{}
	k.kept(schema, recorded, ours, "")
	if k.compared == 0 && !empty(recorded) {
		t.Error("nothing was compared")
	}
	for _, problem := range k.problems {
		t.Error(problem)
	}
}

// nested are answers that hold the whole document once more under "client". The
// recording is a slip, which the client reads all the same.
var nested = []string{
	"create_native_app_instance/default", "create_native_app_instance/template_id_str",
	"create_native_app_instance/template_id_uuid", "create_native_app_instance/name",
}

type keeper struct {
	compared int
	problems []string
}

func (k *keeper) lost(pointer string, recorded, ours any) {
	k.problems = append(k.problems, fmt.Sprintf("at %s: recorded %s, we have %s", pointer, jsonText(recorded), jsonText(ours)))
}

func (k *keeper) kept(schema *openapi3.Schema, recorded, ours any, pointer string) {
	if empty(recorded) {
		if !empty(ours) {
			k.lost(pointer, recorded, ours)
		}
		return
	}
	switch recorded := recorded.(type) {
	case map[string]any:
		object, ok := ours.(map[string]any)
		if !ok {
			k.lost(pointer, recorded, ours)
			return
		}
		free := schema.AdditionalProperties.Has != nil && *schema.AdditionalProperties.Has
		for name, member := range recorded {
			at := pointer + "/" + name
			next := memberSchema(schema, name)
			switch {
			case next != nil:
				k.kept(next, member, object[name], at)
			case free:
				k.same(member, object[name], at)
			}
		}
	case []any:
		items, ok := ours.([]any)
		if !ok || len(items) != len(recorded) {
			k.lost(pointer, recorded, ours)
			return
		}
		for i := range recorded {
			k.kept(itemSchema(schema), recorded[i], items[i], fmt.Sprintf("%s/%d", pointer, i))
		}
	case string:
		if schema.Format == "date-time" {
			k.sameTime(recorded, ours, pointer)
			return
		}
		k.same(recorded, ours, pointer)
	default:
		k.same(recorded, ours, pointer)
	}
}

func (k *keeper) same(recorded, ours any, pointer string) {
	k.compared++
	a, isNumber := recorded.(float64)
	b, ok := ours.(float64)
	if isNumber && ok && math.Abs(a-b) < 1e-6 { // unixtime keeps microseconds
		return
	}
	if !reflect.DeepEqual(recorded, ours) {
		k.lost(pointer, recorded, ours)
	}
}

func (k *keeper) sameTime(recorded string, ours any, pointer string) {
	k.compared++
	text, _ := ours.(string)
	want, err := time.Parse(time.RFC3339Nano, recorded)
	if err != nil {
		k.problems = append(k.problems, fmt.Sprintf("at %s: recorded %v", pointer, err))
		return
	}
	got, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !got.Equal(want) {
		k.lost(pointer, recorded, ours)
	}
}

// empty says whether a value reads as the zero value of its field.
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
		for _, member := range value {
			if !empty(member) {
				return false
			}
		}
		return true
	}
	return false
}
