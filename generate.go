package globusauth

// The spec of Globus Auth is generated three times: types and requests, the operations of
// [Client], and the server interface of the test double; that of Globus Groups once, for
// package resourceserver. tools/go.mod pins the
// generator, so that importers of this module do not download it.

//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/gen.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/operations.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/server.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/groups.config.yaml spec/groups.openapi.yaml
