package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// uuidFormat is looser than RFC 9562: some IDs of the service have no version.
const uuidFormat = `^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`

// conformance checks requests and responses against the spec.
type conformance struct {
	doc     *openapi3.T
	router  routers.Router
	options []openapi3.SchemaValidationOption
}

// spec is loaded once; it is only read.
var spec = sync.OnceValues(loadSpec)

func theSpec(t *testing.T) *conformance {
	t.Helper()
	loaded, err := spec()
	if err != nil {
		t.Fatalf("load the spec: %v", err)
	}
	return loaded
}

func loadSpec() (*conformance, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("../spec/auth.openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc.Servers = nil // any host is valid
	doc.SetStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(uuidFormat))
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	options := append(doc.GetSchemaValidationOptions(), openapi3.EnableFormatValidation(), openapi3.MultiErrors())
	return &conformance{doc, router, options}, nil
}

// operations returns the sorted IDs of the operations that the client offers.
func (c *conformance) operations() []string {
	var ids []string
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if !op.Deprecated { // the client does not offer it
				ids = append(ids, op.OperationID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// browserOnly reports whether the client has no method for an operation.
func (c *conformance) browserOnly(id string) bool {
	for _, item := range c.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.OperationID == id {
				return op.Extensions["x-client"] == false
			}
		}
	}
	return false
}

// exchange is one request with its response, and how both violate the spec.
type exchange struct {
	operation    string // its ID; empty when the spec has none
	route        *routers.Route
	request      *http.Request
	requestBody  []byte
	status       int
	header       http.Header
	body         []byte
	ofRequest    []string // problems
	ofResponse   []string
	undocumented []string // fields of the response that the spec does not name
}

// request checks a request whose body was read before.
func (c *conformance) request(req *http.Request, body []byte) exchange {
	x := exchange{request: req, requestBody: body}
	route, pathParams, err := c.router.FindRoute(req)
	if err != nil {
		x.ofRequest = append(x.ofRequest, fmt.Sprintf("%s %s: %v", req.Method, req.URL.Path, err))
		return x
	}
	x.route, x.operation = route, route.Operation.OperationID
	probe := req.Clone(req.Context())
	probe.Body = io.NopCloser(bytes.NewReader(body))
	probe.GetBody = nil
	probe.ContentLength = int64(len(body))
	input := &openapi3filter.RequestValidationInput{
		Request: probe, PathParams: pathParams, Route: route, QueryParams: req.URL.Query(),
		Options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, RejectWhenRequestBodyNotSpecified: true,
			AuthenticationFunc:      authenticated,
			SchemaValidationOptions: c.options,
		},
	}
	if err := openapi3filter.ValidateRequest(req.Context(), input); err != nil {
		x.ofRequest = append(x.ofRequest, oneLine(err))
	}
	x.ofRequest = append(x.ofRequest, undeclaredQuery(route, req)...)
	x.ofRequest = append(x.ofRequest, undeclaredBody(route, req, body)...)
	x.ofRequest = append(x.ofRequest, undeclaredAuthorization(route, req)...)
	return x
}

// response checks a response.
func (c *conformance) response(ctx context.Context, x *exchange, status int, header http.Header, body []byte) {
	x.status, x.header, x.body = status, header, body
	if x.route == nil {
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: x.request, Route: x.route},
		Status:                 status, Header: header,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, SchemaValidationOptions: c.options},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(ctx, input); err != nil {
		x.ofResponse = append(x.ofResponse, oneLine(err))
	}
	if schema := responseSchema(x.route.Operation, status); schema != nil && status < http.StatusBadRequest {
		var value any
		if json.Unmarshal(body, &value) == nil {
			x.undocumented = unnamed(schema, value, "")
		}
	}
}

// responseSchema returns the schema of a JSON response, nil if there is none.
func responseSchema(op *openapi3.Operation, status int) *openapi3.Schema {
	ref := op.Responses.Status(status)
	if ref == nil {
		ref = op.Responses.Default()
	}
	if ref == nil || ref.Value.Content.Get("application/json") == nil {
		return nil
	}
	return ref.Value.Content.Get("application/json").Schema.Value
}

// authenticated checks the header of a security scheme.
func authenticated(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	header := input.RequestValidationInput.Request.Header.Get("Authorization")
	if !strings.HasPrefix(header, schemeOf(input.SecuritySchemeName)) {
		return fmt.Errorf("no %scredentials", schemeOf(input.SecuritySchemeName))
	}
	return nil
}

func schemeOf(security string) string {
	if security == "basicClient" {
		return "Basic "
	}
	return "Bearer "
}

// undeclaredAuthorization finds credentials that the operation does not take.
// The library accepts any if the operation also works without.
func undeclaredAuthorization(route *routers.Route, req *http.Request) []string {
	header := req.Header.Get("Authorization")
	if header == "" {
		return nil
	}
	if security := route.Operation.Security; security != nil {
		for _, alternative := range *security {
			for name := range alternative {
				if strings.HasPrefix(header, schemeOf(name)) {
					return nil
				}
			}
		}
	}
	scheme, _, _ := strings.Cut(header, " ")
	return []string{"the operation takes no " + scheme + " credentials"}
}

// undeclaredQuery finds what the library accepts: unknown parameters, and
// duplicates where a list is joined with commas.
func undeclaredQuery(route *routers.Route, req *http.Request) []string {
	var problems []string
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return []string{"malformed query: " + err.Error()}
	}
	for name, values := range query {
		parameter := route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		if parameter == nil {
			parameter = route.PathItem.Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		}
		switch {
		case parameter == nil:
			problems = append(problems, "undeclared query parameter "+name)
		case len(values) > 1 && (parameter.Explode == nil || !*parameter.Explode):
			problems = append(problems, "duplicate query parameter "+name)
		}
	}
	slices.Sort(problems)
	return problems
}

func undeclaredBody(route *routers.Route, req *http.Request, body []byte) []string {
	if route.Operation.RequestBody == nil || len(body) == 0 {
		return nil
	}
	mediaType, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	content := route.Operation.RequestBody.Value.Content.Get(mediaType)
	if content == nil {
		return nil // ValidateRequest reports it
	}
	var problems []string
	if mediaType == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return []string{"malformed form: " + err.Error()}
		}
		for name, values := range form {
			if content.Schema.Value.Properties[name] == nil {
				problems = append(problems, "undeclared form parameter "+name)
			}
			if len(values) > 1 {
				problems = append(problems, "duplicate form parameter "+name)
			}
		}
		slices.Sort(problems)
		return problems
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return []string{"malformed body: " + err.Error()}
	}
	for _, pointer := range unnamed(content.Schema.Value, value, "") {
		problems = append(problems, "undeclared body field "+pointer)
	}
	return problems
}

// unnamed lists the fields of a document that its schema does not name.
func unnamed(schema *openapi3.Schema, value any, pointer string) []string {
	if schema == nil {
		return nil
	}
	var found []string
	switch value := value.(type) {
	case map[string]any:
		if free := schema.AdditionalProperties.Has; free != nil && *free {
			return nil
		}
		for name, field := range value {
			at := pointer + "/" + name
			next := fieldSchema(schema, name)
			if next == nil {
				found = append(found, at)
				continue
			}
			found = append(found, unnamed(next, field, at)...)
		}
	case []any:
		items := itemSchema(schema)
		for i, item := range value {
			found = append(found, unnamed(items, item, fmt.Sprintf("%s/%d", pointer, i))...)
		}
	}
	slices.Sort(found)
	return found
}

// fieldSchema finds the schema of a field, in combined schemas too.
func fieldSchema(schema *openapi3.Schema, name string) *openapi3.Schema {
	if ref := schema.Properties[name]; ref != nil {
		return ref.Value
	}
	if schema.AdditionalProperties.Schema != nil {
		return schema.AdditionalProperties.Schema.Value
	}
	for _, part := range slices.Concat(schema.AllOf, schema.OneOf, schema.AnyOf) {
		if found := fieldSchema(part.Value, name); found != nil {
			return found
		}
	}
	return nil
}

func itemSchema(schema *openapi3.Schema) *openapi3.Schema {
	if schema.Items != nil {
		return schema.Items.Value
	}
	for _, part := range slices.Concat(schema.AllOf, schema.OneOf, schema.AnyOf) {
		if found := itemSchema(part.Value); found != nil {
			return found
		}
	}
	return nil
}

// oneLine shortens the library's reports, which quote the whole schema.
func oneLine(err error) string {
	if multi, ok := errors.AsType[openapi3.MultiError](err); ok {
		var parts []string
		for _, e := range multi {
			parts = append(parts, oneLine(e))
		}
		return strings.Join(parts, "; ")
	}
	if schemaErr, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		return "at /" + strings.Join(schemaErr.JSONPointer(), "/") + ": " + schemaErr.Reason
	}
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return strings.ReplaceAll(text, "\n", " ")
}

// validating is an http.RoundTripper that checks every exchange against the spec
// and passes it to seen. It is safe for concurrent use if seen is.
type validating struct {
	spec *conformance
	next http.RoundTripper
	seen func(exchange)
	// aliases are replaced in the checked path and body, not in those that are
	// sent.
	aliases map[string]string
}

func (v *validating) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := drain(req.Body)
	if err != nil {
		return nil, err
	}
	x := v.check(req, sent)
	forward := req.Clone(req.Context())
	if req.Body != nil {
		forward.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := v.next.RoundTrip(forward)
	if err != nil {
		v.seen(x)
		return nil, err
	}
	body, err := drain(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	v.spec.response(req.Context(), &x, resp.StatusCode, resp.Header, body)
	v.seen(x)
	return resp, nil
}

func (v *validating) check(req *http.Request, body []byte) exchange {
	var pairs []string
	for from, to := range v.aliases {
		pairs = append(pairs, from, to)
	}
	replacer := strings.NewReplacer(pairs...)
	probe := req.Clone(req.Context())
	probe.URL.Path = replacer.Replace(req.URL.Path)
	x := v.spec.request(probe, []byte(replacer.Replace(string(body))))
	x.request, x.requestBody = req, body
	return x
}

func drain(body io.ReadCloser) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	defer func() { _ = body.Close() }()
	return io.ReadAll(io.LimitReader(body, 1<<20))
}
