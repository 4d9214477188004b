// Package groups contains the types and the raw client of the Globus Groups
// operations that resource servers need, generated from spec/groups.openapi.yaml.
//
// Package resourceserver uses them; most programs need only its AnyGroup rule.
package groups
