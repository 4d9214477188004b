package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// budgets are the numbers of hand-written names that each package may export.
var budgets = map[string]int{
	".": 50, "flows": 40, "tokens": 25, "idtoken": 15, "identitymap": 15, "resourceserver": 25, "authtest": 60,
}

// TestExportedNames_WithinBudget counts types, functions, constants and variables at
// the top level, and logs the number of methods.
func TestExportedNames_WithinBudget(t *testing.T) {
	t.Parallel()
	for folder, budget := range budgets {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			names, methods := exported(t, filepath.Join("..", folder))
			if len(names) == 0 {
				t.Fatal("no exported names found")
			}
			t.Logf("%d names, %d methods, budget %d", len(names), len(methods), budget)
			if len(names) > budget {
				t.Errorf("%d exported names, the budget is %d: %s", len(names), budget, strings.Join(names, " "))
			}
		})
	}
}

// exported lists the names and methods that the hand-written files of a folder
// export.
func exported(t *testing.T, folder string) (names, methods []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".gen.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				switch {
				case !decl.Name.IsExported():
				case decl.Recv == nil:
					names = append(names, decl.Name.Name)
				case ast.IsExported(receiver(decl.Recv.List[0].Type)):
					methods = append(methods, receiver(decl.Recv.List[0].Type)+"."+decl.Name.Name)
				}
			case *ast.GenDecl:
				names = append(names, exportedOf(decl)...)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(methods)
	return names, methods
}

func exportedOf(decl *ast.GenDecl) []string {
	var names []string
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				names = append(names, spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

func receiver(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiver(expr.X)
	case *ast.IndexExpr:
		return receiver(expr.X)
	case *ast.Ident:
		return expr.Name
	}
	return ""
}

// sharedNames are errors that two packages export, with why a mix-up does no harm.
var sharedNames = map[string]string{
	"CheckError":          "one type: internal/check.Error",
	"ErrIdentityMismatch": "app's is tokens'",
}

// TestExportedNames_ErrorsHaveOneMeaning refuses errors of the same name in two packages:
// errors.Is with the wrong one compiles and is false for ever.
func TestExportedNames_ErrorsHaveOneMeaning(t *testing.T) {
	t.Parallel()
	homes := map[string][]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return err
		case slices.Contains([]string{".git", "internal", "testdata", "node_modules", "cmd", "examples", "tools", "terraform"}, entry.Name()):
			return fs.SkipDir
		}
		names, _ := exported(t, path)
		for _, name := range names {
			if strings.HasPrefix(name, "Err") || strings.HasSuffix(name, "Error") && name != "Error" {
				homes[name] = append(homes[name], path)
			}
		}
		return nil
	})
	if err != nil || len(homes) < 20 {
		t.Fatalf("%d names, %v", len(homes), err)
	}
	for name, folders := range homes {
		if len(folders) > 1 && sharedNames[name] == "" {
			t.Errorf("%s is exported by %s", name, strings.Join(folders, " and "))
		}
	}
	for name := range sharedNames {
		if len(homes[name]) < 2 {
			t.Errorf("%s is exported by one package only: remove it from sharedNames", name)
		}
	}
}
