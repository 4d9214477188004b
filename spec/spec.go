// Package spec has the description of the Globus Auth API ([Document]), from which the
// types of package gen, the methods of globusauth.Client, the verbs of the command
// globus-auth and the handlers of package authtest are generated.
package spec

import _ "embed"

//go:embed auth.openapi.yaml
var document string

// Document returns the description, OpenAPI 3.0.3 in YAML.
func Document() string { return document }
