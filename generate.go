package globusauth

// The spec of Globus Auth is generated five times: types and requests, the operations of
// [Client], the server interface of the test double, the schemas of the Terraform provider, and the verbs of the
// command; that of Globus Groups once, for package resourceserver. tools/go.mod pins the generator, so that importers
// of this module do not download it.

//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/gen.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/operations.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/server.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/groups.config.yaml spec/groups.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/terraform.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/verbs.config.yaml spec/auth.openapi.yaml
