package spec_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// uuidFormat is looser than RFC 9562: the service has IDs without a version, such
// as 00000000-0000-0000-0000-000000000001.
const uuidFormat = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("auth.openapi.yaml")
	if err != nil {
		t.Fatalf("load the spec: %v", err)
	}
	doc.SetStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(uuidFormat))
	return doc
}

// validate checks the document and its examples, and then each example
// with formats, which the library's own check leaves out.
func validate(t *testing.T, doc *openapi3.T) error {
	t.Helper()
	err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation())
	options := append(doc.GetSchemaValidationOptions(), openapi3.EnableFormatValidation(), openapi3.MultiErrors())
	for _, e := range examples(doc) {
		if exampleErr := e.schema.VisitJSON(e.value, options...); exampleErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", e.where, exampleErr))
		}
	}
	return err
}

type example struct {
	where  string
	schema *openapi3.Schema
	value  any
}

// examples lists every example of the document with its schema.
func examples(doc *openapi3.T) []example {
	var found []example
	content := func(where string, content openapi3.Content) {
		for mediaType, media := range content {
			for name, ref := range media.Examples {
				found = append(found, example{where + ", " + mediaType + ", example " + name, media.Schema.Value, ref.Value.Value})
			}
		}
	}
	for path, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			where := op.OperationID
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				found = append(found, example{where + ", parameter " + p.Value.Name, p.Value.Schema.Value, p.Value.Example})
			}
			if op.RequestBody != nil {
				content(where+", request", op.RequestBody.Value.Content)
			}
			for status, ref := range op.Responses.Map() {
				content(where+", "+status, ref.Value.Content)
				for name, header := range ref.Value.Headers {
					found = append(found, example{path + ", " + status + ", " + name, header.Value.Schema.Value, header.Value.Example})
				}
			}
		}
	}
	for name, ref := range doc.Components.Schemas {
		if ref.Value.Example != nil {
			found = append(found, example{name, ref.Value, ref.Value.Example})
		}
		for field, property := range ref.Value.Properties {
			if property.Value.Example != nil {
				found = append(found, example{name + "." + field, property.Value, property.Value.Example})
			}
		}
	}
	return found
}

func TestDocument_IsValid(t *testing.T) {
	t.Parallel()
	doc := load(t)
	if err := validate(t, doc); err != nil {
		t.Fatal(err)
	}
	if got := doc.OpenAPI; got != "3.0.3" {
		t.Errorf("openapi: got %q, want 3.0.3", got)
	}
}

// Each case changes one value of the document in memory; the error must name the reason.
func TestDocument_ValidationNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	value := func(doc *openapi3.T, name string) map[string]any {
		object, ok := doc.Components.Examples[name].Value.Value.(map[string]any)
		if !ok {
			t.Fatalf("example %s is not an object", name)
		}
		return object
	}
	tests := []struct {
		name   string
		damage func(doc *openapi3.T)
		reason string
	}{
		{
			"an ID that is not a UUID",
			func(doc *openapi3.T) {
				value(doc, "IdentityResponse")["identity"].(map[string]any)["id"] = "me"
			},
			`getIdentity, 200, application/json, example IdentityResponse`,
		},
		{
			"a required field left out of a response",
			func(doc *openapi3.T) { delete(value(doc, "Project")["project"].(map[string]any), "contact_email") },
			`"contact_email" is missing`,
		},
		{
			"null where null is not allowed",
			func(doc *openapi3.T) { value(doc, "Policy")["policy"].(map[string]any)["display_name"] = nil },
			"not nullable",
		},
		{
			"a wrong type in a form",
			func(doc *openapi3.T) { value(doc, "RevokeRequestNative")["token"] = 7.0 },
			"must be a string",
		},
		{
			"an unknown value of a closed enumeration",
			func(doc *openapi3.T) { value(doc, "TokenRequestDependent")["access_type"] = "sometimes" },
			"not one of the allowed values",
		},
		{
			"an error document whose status is a number",
			func(doc *openapi3.T) {
				value(doc, "NotFound")["errors"].([]any)[0].(map[string]any)["status"] = 404.0
			},
			"must be a string",
		},
		{
			"an empty response to creating a scope",
			func(doc *openapi3.T) { clear(value(doc, "ScopeCreated")) },
			"at least 1 properties",
		},
		{
			"an example of a parameter",
			func(doc *openapi3.T) {
				doc.Paths.Value("/v2/api/identities").Get.Parameters.GetByInAndName("query", "provision").Example = "no"
			},
			"must be a boolean",
		},
		{
			"a time without its zone",
			func(doc *openapi3.T) {
				value(doc, "ClientCredentialCreated")["credential"].(map[string]any)["created"] = "2023-10-21T22:46:15"
			},
			`doesn't match the format "date-time"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := load(t)
			tt.damage(doc)
			err := validate(t, doc)
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got error %v, want one that contains %q", err, tt.reason)
			}
		})
	}
}

func TestDocument_DescribesEveryEndpoint(t *testing.T) {
	t.Parallel()
	endpoints := []struct{ method, path, operation string }{
		{http.MethodGet, "/.well-known/openid-configuration", "getOpenIDConfiguration"},
		{http.MethodGet, "/jwk.json", "getJWKS"},
		{http.MethodGet, "/v2/oauth2/authorize", "authorize"},
		{http.MethodPost, "/v2/oauth2/token", "token"},
		{http.MethodPost, "/v2/oauth2/token/introspect", "introspect"},
		{http.MethodPost, "/v2/oauth2/token/revoke", "revoke"},
		{http.MethodPost, "/v2/oauth2/token/validate", "validate"},
		{http.MethodGet, "/v2/oauth2/userinfo", "getUserinfo"},
		{http.MethodPost, "/v2/oauth2/userinfo", "postUserinfo"},
		{http.MethodGet, "/v2/api/identities", "getIdentities"},
		{http.MethodGet, "/v2/api/identities/{identity_id}", "getIdentity"},
		{http.MethodGet, "/v2/api/identity_providers", "getIdentityProviders"},
		{http.MethodGet, "/v2/api/identities/{identity_id}/consents", "getConsents"},
		{http.MethodGet, "/v2/api/projects", "getProjects"},
		{http.MethodGet, "/v2/api/projects/{project_id}", "getProject"},
		{http.MethodPost, "/v2/api/projects", "createProject"},
		{http.MethodPut, "/v2/api/projects/{project_id}", "updateProject"},
		{http.MethodDelete, "/v2/api/projects/{project_id}", "deleteProject"},
		{http.MethodGet, "/v2/api/policies", "getPolicies"},
		{http.MethodGet, "/v2/api/policies/{policy_id}", "getPolicy"},
		{http.MethodPost, "/v2/api/policies", "createPolicy"},
		{http.MethodPut, "/v2/api/policies/{policy_id}", "updatePolicy"},
		{http.MethodDelete, "/v2/api/policies/{policy_id}", "deletePolicy"},
		{http.MethodGet, "/v2/api/clients", "getClients"},
		{http.MethodGet, "/v2/api/clients/{client_id}", "getClient"},
		{http.MethodPost, "/v2/api/clients", "createClient"},
		{http.MethodPut, "/v2/api/clients/{client_id}", "updateClient"},
		{http.MethodDelete, "/v2/api/clients/{client_id}", "deleteClient"},
		{http.MethodPost, "/v2/api/clients/{client_id}/fqdns", "addClientFQDN"},
		{http.MethodGet, "/v2/api/clients/{client_id}/credentials", "getClientCredentials"},
		{http.MethodPost, "/v2/api/clients/{client_id}/credentials", "createClientCredential"},
		{http.MethodDelete, "/v2/api/clients/{client_id}/credentials/{credential_id}", "deleteClientCredential"},
		{http.MethodGet, "/v2/api/scopes", "getScopes"},
		{http.MethodGet, "/v2/api/scopes/{scope_id}", "getScope"},
		{http.MethodGet, "/v2/api/clients/{client_id}/scopes/{scope_id}", "getClientScope"},
		{http.MethodPost, "/v2/api/clients/{client_id}/scopes", "createScope"},
		{http.MethodPut, "/v2/api/scopes/{scope_id}", "updateScope"},
		{http.MethodDelete, "/v2/api/scopes/{scope_id}", "deleteScope"},
		{http.MethodGet, "/v2/web/auth-code", "authCodePage"},
		{http.MethodGet, "/v2/web/logout", "logoutPage"},
	}
	doc := load(t)
	described := map[string]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described[method+" "+path] = op.OperationID
		}
	}
	for _, want := range endpoints {
		key := want.method + " " + want.path
		if got := described[key]; got != want.operation {
			t.Errorf("%s: got operation %q, want %q", key, got, want.operation)
		}
		delete(described, key)
	}
	for key, operation := range described {
		t.Errorf("%s (%s) is in the spec but not in the list of known endpoints", key, operation)
	}
}

func TestDocument_OperationsFollowConventions(t *testing.T) {
	t.Parallel()
	doc := load(t)
	camelCase := regexp.MustCompile(`^[a-z][A-Za-z0-9]+$`)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			t.Run(op.OperationID, func(t *testing.T) {
				t.Parallel()
				if !camelCase.MatchString(op.OperationID) {
					t.Errorf("operationId %q of %s %s is not in camel case", op.OperationID, method, path)
				}
				if op.Summary == "" || strings.HasSuffix(op.Summary, ".") {
					t.Errorf("summary %q: want a short phrase without a full stop", op.Summary)
				}
				if !strings.HasSuffix(strings.TrimSpace(op.Description), ".") {
					t.Errorf("description %q: want at least one sentence", op.Description)
				}
				if len(op.Tags) != 1 || doc.Tags.Get(op.Tags[0]) == nil {
					t.Errorf("tags %q: want exactly one that the document describes", op.Tags)
				}
				checkVerb(t, op)
				checkSecurity(t, doc, op)
				checkParameters(t, slices.Concat(item.Parameters, op.Parameters))
				checkRequest(t, op)
				checkResponses(t, op)
			})
		}
	}
}

func checkVerb(t *testing.T, op *openapi3.Operation) {
	t.Helper()
	extension := op.Extensions["x-cli"]
	verb, _ := extension.(map[string]any)
	if use, _ := verb["use"].(string); use == "" && extension != false {
		t.Errorf("x-cli is %v: want the name of the verb of globus-auth, as in {use: project list}, or false for none", extension)
	}
}

func checkSecurity(t *testing.T, doc *openapi3.T, op *openapi3.Operation) {
	t.Helper()
	if op.Security == nil {
		t.Error("security is not stated; write [] for none")
		return
	}
	known := doc.Components.SecuritySchemes["bearer"].Value.Flows.AuthorizationCode.Scopes
	for _, alternative := range *op.Security {
		for scheme, scopes := range alternative {
			if doc.Components.SecuritySchemes[scheme] == nil {
				t.Errorf("security scheme %q is not defined", scheme)
			}
			for _, scope := range scopes {
				if known[scope] == "" {
					t.Errorf("scope %q is not described", scope)
				}
			}
		}
	}
}

func checkParameters(t *testing.T, parameters openapi3.Parameters) {
	t.Helper()
	for _, ref := range parameters {
		p := ref.Value
		if p.Description == "" || p.Schema == nil || p.Example == nil {
			t.Errorf("parameter %s: want a description, a schema and an example", p.Name)
			continue
		}
		if p.Schema.Value.Type.Is("array") && (p.Style != "form" || p.Explode == nil || *p.Explode) {
			t.Errorf("parameter %s: the service expects lists joined with commas (style form, explode false)", p.Name)
		}
	}
}

func checkRequest(t *testing.T, op *openapi3.Operation) {
	t.Helper()
	if op.RequestBody == nil {
		return
	}
	body := op.RequestBody.Value
	if !body.Required || len(body.Content) != 1 {
		t.Error("request body: want it required, with one media type")
	}
	for mediaType, content := range body.Content {
		checkContent(t, "request", mediaType, content)
	}
}

func checkResponses(t *testing.T, op *openapi3.Operation) {
	t.Helper()
	succeeds, fails := false, false
	for status, ref := range op.Responses.Map() {
		for mediaType, content := range ref.Value.Content {
			checkContent(t, status, mediaType, content)
		}
		switch {
		case status[0] == '2':
			succeeds = succeeds || len(ref.Value.Content) > 0
		case status[0] == '4':
			fails = true
			fallthrough
		case status[0] == '5' || status == "default":
			if ref.Ref == "" || len(ref.Value.Content) == 0 {
				t.Errorf("response %s: want a shared component with a document", status)
			}
		}
		if retry := ref.Value.Headers["Retry-After"]; (status == "429" || status == "503") != (retry != nil) {
			t.Errorf("response %s: Retry-After belongs to 429 and 503, and to no other", status)
		}
	}
	if !succeeds || !fails {
		t.Errorf("want a success with a document (have %t) and a 4xx error (have %t)", succeeds, fails)
	}
	for _, status := range []string{"429", "503", "default"} {
		if op.Responses.Value(status) == nil {
			t.Errorf("response %s is not described", status)
		}
	}
	if op.Security != nil && len(*op.Security) > 0 && op.Responses.Value("401") == nil {
		t.Error("an operation that needs credentials can return 401")
	}
}

func checkContent(t *testing.T, where, mediaType string, content *openapi3.MediaType) {
	t.Helper()
	if content.Schema == nil || !strings.HasPrefix(content.Schema.Ref, "#/components/schemas/") {
		t.Errorf("%s, %s: want a named schema", where, mediaType)
	}
	if len(content.Examples) == 0 {
		t.Errorf("%s, %s: want an example", where, mediaType)
	}
	for name, example := range content.Examples {
		if example.Value == nil || example.Value.Summary == "" {
			t.Errorf("%s, %s: example %s: want a summary that says what it shows or where it is from", where, mediaType, name)
		}
	}
}
