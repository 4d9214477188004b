package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// Every well-known scope is offered.
func TestWellKnownScopes_All(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../../scopes/wellknown.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			for _, name := range spec.Names {
				if name.IsExported() && !strings.HasSuffix(name.Name, "ResourceServer") {
					count++
				}
			}
		}
		return true
	})
	if list := wellKnownScopes(); len(list) != count || list.Validate() != nil {
		t.Errorf("%d scopes are offered, of %d: %v", len(list), count, list.Validate())
	}
}
