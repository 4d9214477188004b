package guard_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/guard"
)

var update = flag.Bool("update", false, "write the JSON schema")

const schemaFile = "../../../../docs/guard.schema.json"

// schema is the JSON schema of a type of the configuration.
func schema(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[guard.Duration]():
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`}
	case t.Kind() == reflect.Pointer:
		return schema(t.Elem())
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "minItems": 1, "items": schema(t.Elem())}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string", "minLength": 1}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return map[string]any{"type": "integer", "minimum": 0}
	}
	properties, required := map[string]any{}, []string{}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" {
			continue // inline
		}
		property := schema(field.Type)
		property["description"] = field.Tag.Get("doc")
		if enum := field.Tag.Get("enum"); enum != "" {
			property["enum"] = strings.Split(enum, ",")
		}
		if field.Tag.Get("required") != "" {
			required = append(required, name)
		}
		properties[name] = property
	}
	object := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		object["required"] = required
	}
	return object
}

func TestSchema_IsGeneratedFromTheTypes(t *testing.T) {
	t.Parallel()
	document := schema(reflect.TypeFor[guard.Config]())
	document["$schema"], document["title"] = "https://json-schema.org/draft/2020-12/schema", "globus-auth guard"
	document["oneOf"] = []any{map[string]any{"required": []string{"upstream"}}, map[string]any{"required": []string{"forward_auth"}}}
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s differs from the types; run go test ./cmd/globus-auth/internal/guard -update (%v)", schemaFile, err)
	}
}

func TestSchema_AcceptsWhatReadAccepts(t *testing.T) {
	t.Parallel()
	compiled, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text []byte) error {
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		return compiled.Validate(value)
	}
	files, err := filepath.Glob(filepath.Join(examples, "guard*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no example found: %v", err)
	}
	line := regexp.MustCompile(`^# yaml-language-server: \$schema=https://raw\.githubusercontent\.com/globusauth/globusauth/main/docs/guard\.schema\.json\n`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !line.Match(text) {
			t.Errorf("%s does not name its schema for editors", file)
		}
	}
	for _, wrong := range []string{
		"upstream: http://a", "client_id: a", "{client_id: a, upstream: b, forward_auth: nginx}", "{client_id: a, upstream: b, rules: {group: [a]}}",
		"{client_id: a, upstream: b, routes: [{mfa: true}]}", "{client_id: a, upstream: b, rules: {groups: []}}", "{client_id: a, upstream: b, cache_time: soon}",
	} {
		if validate([]byte(wrong)) == nil {
			t.Errorf("the schema accepts %s", wrong)
		}
	}
}
