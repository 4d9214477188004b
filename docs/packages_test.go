package docs_test

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needServer are packages whose examples connect to a server: they are compiled, not run.
var needServer = []string{"tokens/pgstore", "tokens/redisstore"}

// TestPackages_AreDocumented checks what pkg.go.dev shows of each public package: a comment that links to its types or functions, and
// an example that runs.
func TestPackages_AreDocumented(t *testing.T) {
	t.Parallel()
	skipped := []string{"..", "../docs", "../examples", "../tools", "../contract_tests", "../terraform", "../gen"}
	seen := 0
	err := filepath.WalkDir("..", func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		dir = filepath.ToSlash(dir)
		if base := entry.Name(); dir != ".." && (base[0] == '.' || slices.Contains([]string{"internal", "testdata", "node_modules"}, base) || slices.Contains(skipped, dir)) {
			return fs.SkipDir
		}
		files, tests := parseDir(t, dir)
		if len(files.files) == 0 || files.files[0].Name.Name == "main" {
			return nil
		}
		seen++
		p, err := doc.NewFromFiles(files.set, files.files, dir)
		if err != nil {
			return err
		}
		if links(p.Parser().Parse(p.Doc).Content) == 0 {
			t.Errorf("%s: the package comment links to none of its types or functions", dir)
		}
		examples := doc.Examples(tests.files...)
		if len(examples) == 0 {
			t.Errorf("%s: no example", dir)
		}
		for _, example := range examples {
			if example.Output == "" && !slices.Contains(needServer, strings.TrimPrefix(dir, "../")) {
				t.Errorf("%s: Example%s does not run: it has no output", dir, example.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("%d packages", seen)
	}
}

// parsed are files of one package.
type parsed struct {
	set   *token.FileSet
	files []*ast.File
}

// parseDir parses the Go files of a directory.
func parseDir(t *testing.T, dir string) (files, tests parsed) {
	t.Helper()
	files.set, tests.set = token.NewFileSet(), token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		into := &files
		if strings.HasSuffix(name, "_test.go") {
			into = &tests
		}
		file, err := parser.ParseFile(into.set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		into.files = append(into.files, file)
	}
	return files, tests
}

// links counts the links to declarations of the same package.
func links(blocks []comment.Block) (count int) {
	for _, block := range blocks {
		switch block := block.(type) {
		case *comment.Paragraph:
			for _, text := range block.Text {
				if link, ok := text.(*comment.DocLink); ok && link.ImportPath == "" {
					count++
				}
			}
		case *comment.List:
			for _, item := range block.Items {
				count += links(item.Content)
			}
		}
	}
	return count
}
