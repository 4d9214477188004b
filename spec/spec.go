// Package spec holds the description of the Globus Auth API that the rest is
// generated from.
package spec

import _ "embed"

//go:embed auth.openapi.yaml
var document string

// Document returns the description, OpenAPI 3.0.3 in YAML.
func Document() string { return document }
