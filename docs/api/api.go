// Package api holds the reference of the API as a page that needs nothing else. It
// is made of the description in spec/ by "npm run docs" in tools/spec-lint.
package api

import _ "embed"

//go:embed index.html
var page []byte

// Page returns the reference, HTML with scripts.
func Page() []byte { return page }
