package authtest

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"go.yaml.in/yaml/v3"

	"github.com/globusauth/globusauth/spec"
)

// reference is the API's description, ready to be shown.
type reference struct {
	Title, Version string
	Description    template.HTML
	Tags           []referenceTag
	Operations     []referenceOperation
	Schemas        []referenceSchema
}

type referenceTag struct {
	Name       string
	Operations []referenceOperation
}

type referenceOperation struct {
	ID, Method, Path, Summary string
	Description               template.HTML
	Security                  []string
	Parameters                []referenceMember
	Bodies                    []referenceBody
	Answers                   []referenceBody
}

// referenceBody is a body of a request, or an answer.
type referenceBody struct {
	Name        string // content type or status
	Description template.HTML
	Type        referenceType
}

// referenceMember is a parameter or a member of a schema.
type referenceMember struct {
	Name, In    string
	Required    bool
	Type        referenceType
	Description template.HTML
}

type referenceSchema struct {
	Name        string
	Description template.HTML
	Type        referenceType
	Members     []referenceMember
}

// referenceType names a type; Schema is what to link to.
type referenceType struct{ Prefix, Name, Schema, Suffix string }

// apiReference is read once per process, when somebody looks.
var apiReference = sync.OnceValues(readReference)

// referencePage shows the API reference.
func referencePage() (page, error) {
	document, err := apiReference()
	if err != nil {
		return page{}, err
	}
	return page{status: http.StatusOK, name: "reference.html", title: "API reference", wide: true, view: document}, nil
}

// What is read of the description.
type (
	specDocument struct {
		Info struct {
			Title, Version, Description string
		}
		Security []map[string][]string
		Tags     []struct{ Name string }
		Paths    yaml.Node

		Components struct {
			Parameters map[string]specParameter
			Responses  map[string]specBody
			Schemas    yaml.Node
		}
	}
	specOperation struct {
		ID          string `yaml:"operationId"`
		Tags        []string
		Summary     string
		Description string
		Security    *[]map[string][]string
		Parameters  []specParameter
		RequestBody specBody `yaml:"requestBody"`
		Responses   yaml.Node
	}
	specParameter struct {
		Ref, Name, In, Description string
		Required                   bool
		Schema                     specSchema
	}
	specBody struct {
		Ref         string `yaml:"$ref"`
		Description string
		Content     map[string]struct{ Schema specSchema }
	}
	specSchema struct {
		Ref         string `yaml:"$ref"`
		Type        string
		Format      string
		Description string
		Nullable    bool
		Enum        []any
		Required    []string
		Items       *specSchema
		Properties  yaml.Node
		AllOf       []specSchema `yaml:"allOf"`
		OneOf       []specSchema `yaml:"oneOf"`
		AnyOf       []specSchema `yaml:"anyOf"`
	}
)

// UnmarshalYAML reads a parameter or a reference to one.
func (p *specParameter) UnmarshalYAML(node *yaml.Node) error {
	type plain specParameter
	both := struct {
		*plain `yaml:",inline"`
		Ref    string `yaml:"$ref"`
	}{plain: (*plain)(p)}
	if err := node.Decode(&both); err != nil {
		return err
	}
	p.Ref = both.Ref
	return nil
}

func readReference() (*reference, error) {
	var document specDocument
	if err := yaml.Unmarshal([]byte(spec.Document()), &document); err != nil {
		return nil, fmt.Errorf("authtest: read the API's description: %w", err)
	}
	r := &reference{
		Title: document.Info.Title, Version: document.Info.Version, Description: prose(document.Info.Description),
	}
	byTag := map[string][]referenceOperation{}
	for path, item := range pairs(&document.Paths) {
		for method, node := range pairs(item) {
			var operation specOperation
			if err := node.Decode(&operation); err != nil || operation.ID == "" {
				continue // members of a path that are no operations
			}
			shown := document.operation(operation, strings.ToUpper(method), path)
			r.Operations = append(r.Operations, shown)
			if len(operation.Tags) > 0 {
				byTag[operation.Tags[0]] = append(byTag[operation.Tags[0]], shown)
			}
		}
	}
	for _, tag := range document.Tags {
		r.Tags = append(r.Tags, referenceTag{Name: tag.Name, Operations: byTag[tag.Name]})
	}
	for name, node := range pairs(&document.Components.Schemas) {
		var schema specSchema
		if err := node.Decode(&schema); err != nil {
			return nil, fmt.Errorf("authtest: read the API's description: schema %s: %w", name, err)
		}
		r.Schemas = append(r.Schemas, referenceSchema{
			Name: name, Description: prose(schema.Description), Type: schema.typeName(), Members: schema.members(),
		})
	}
	return r, nil
}

// pairs goes through a mapping in the order of the document.
func pairs(node *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if node.Kind != yaml.MappingNode {
			return
		}
		for n := 0; n+1 < len(node.Content); n += 2 {
			if !yield(node.Content[n].Value, node.Content[n+1]) {
				return
			}
		}
	}
}

func (d *specDocument) operation(o specOperation, method, path string) referenceOperation {
	shown := referenceOperation{
		ID: o.ID, Method: method, Path: path, Summary: o.Summary, Description: prose(o.Description),
	}
	security := d.Security
	if o.Security != nil {
		security = *o.Security
	}
	for _, alternative := range security {
		for name, scopes := range alternative {
			shown.Security = append(shown.Security, strings.TrimSpace(name+" "+strings.Join(scopes, " ")))
		}
	}
	for _, p := range o.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[lastPart(p.Ref)]
		}
		shown.Parameters = append(shown.Parameters, referenceMember{
			Name: p.Name, In: p.In, Required: p.Required, Type: p.Schema.typeName(), Description: prose(p.Description),
		})
	}
	for _, contentType := range sortedKeys(o.RequestBody.Content) {
		shown.Bodies = append(shown.Bodies, referenceBody{
			Name: contentType, Type: o.RequestBody.Content[contentType].Schema.typeName(),
		})
	}
	for status, node := range pairs(&o.Responses) {
		var body specBody
		if node.Decode(&body) != nil {
			continue
		}
		if body.Ref != "" {
			body = d.Components.Responses[lastPart(body.Ref)]
		}
		answer := referenceBody{Name: status, Description: prose(body.Description)}
		for _, contentType := range sortedKeys(body.Content) {
			answer.Type = body.Content[contentType].Schema.typeName()
		}
		shown.Answers = append(shown.Answers, answer)
	}
	return shown
}

func lastPart(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// typeName names the type of a schema.
func (s specSchema) typeName() referenceType {
	several := append(append(append([]specSchema{}, s.AllOf...), s.OneOf...), s.AnyOf...)
	suffix := ""
	if s.Nullable {
		suffix = " or null"
	}
	switch {
	case s.Ref != "":
		return referenceType{Name: lastPart(s.Ref), Schema: lastPart(s.Ref), Suffix: suffix}
	case len(several) == 1 || len(s.AllOf) > 0:
		inner := several[0].typeName()
		inner.Suffix += suffix
		return inner
	case len(several) > 1:
		texts := make([]string, len(several))
		for n, each := range several {
			texts[n] = each.typeName().text()
		}
		return referenceType{Name: strings.Join(texts, " or "), Suffix: suffix}
	case s.Items != nil:
		inner := s.Items.typeName()
		inner.Prefix = "array of " + inner.Prefix
		inner.Suffix += suffix
		return inner
	}
	name := s.Type
	if s.Format != "" {
		name += " (" + s.Format + ")"
	}
	if len(s.Enum) > 0 {
		texts := make([]string, len(s.Enum))
		for n, value := range s.Enum {
			texts[n] = fmt.Sprint(value)
		}
		name += ": " + strings.Join(texts, ", ")
	}
	return referenceType{Name: name, Suffix: suffix}
}

func (t referenceType) text() string { return t.Prefix + t.Name + t.Suffix }

// members lists the members of a schema, those of its parts included.
func (s specSchema) members() []referenceMember {
	var list []referenceMember
	for _, part := range s.AllOf {
		list = append(list, part.members()...)
	}
	for name, node := range pairs(&s.Properties) {
		var property specSchema
		if node.Decode(&property) != nil {
			continue
		}
		member := referenceMember{Name: name, Type: property.typeName(), Description: prose(property.Description)}
		for _, required := range s.Required {
			member.Required = member.Required || required == name
		}
		list = append(list, member)
	}
	return list
}

// prose renders a description, which is CommonMark. HTML in it is left out.
func prose(text string) template.HTML {
	var html bytes.Buffer
	if err := goldmark.Convert([]byte(text), &html); err != nil { // a buffer takes everything: cannot happen
		return template.HTML(template.HTMLEscapeString(text)) // escaped
	}
	return template.HTML(html.String()) // the renderer escapes what it does not know
}
