package globusauth

// One spec, three runs: types and requests for everyone, the operations of
// [Client], and the server interface that the test double implements. The
// generator is pinned in tools/go.mod, so that nobody who imports this module
// downloads it.

//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/gen.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/operations.config.yaml spec/auth.openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config spec/server.config.yaml spec/auth.openapi.yaml
