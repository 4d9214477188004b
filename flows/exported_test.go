package flows_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// driven are the exported functions that drive calls.
var driven = []string{
	"Config.ClientCredentials", "Config.ClientCredentialsSource", "Config.DependentTokens",
	"Config.Format", "Config.Introspect", "Config.MarshalText", "Config.Refresh",
	"Config.Resume", "Config.Revoke", "Config.RevokeSet", "Config.Source", "Config.Start", "HTTPClient",
	"Login.Finish", "Login.FinishCode",
	"Login.MarshalStorage", "Login.RedirectURI", "Login.State", "Login.URL",
	"WithAuthorization", "WithParameter",
}

// The leak test calls every exported function and method.
func TestLeakTest_CallsEveryExportedFunction(t *testing.T) {
	t.Parallel()
	var exported []string
	files := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || !function.Name.IsExported() {
				continue
			}
			name := function.Name.Name
			if function.Recv != nil {
				receiver := function.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				ident, ok := receiver.(*ast.Ident)
				if !ok || !ident.IsExported() {
					continue
				}
				name = ident.Name + "." + name
			}
			exported = append(exported, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(exported)
	listed := slices.Sorted(slices.Values(driven))
	if !slices.Equal(exported, listed) {
		t.Errorf("exported %q\n  driven %q", exported, listed)
	}
}
