package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write from-python.md anew")

const intro = `# From the Python SDK

The calls of globus-sdk-python for authentication, and their counterparts in Go. A note has the reason where there is none. Every Go
call takes a context and returns an error beside its result. The Go column is compiled: it is taken from ` + "`from_python_test.go`" + ` and
` + "`from_python_apps_test.go`" + `, which write this file with ` + "`go test ./docs -update`" + `.
`

// named is a Go name within back quotes.
var named = regexp.MustCompile("`\\*?([a-z]+\\.[A-Z]\\w*)")

// none marks a row without a counterpart.
const none = "-"

// row is one row of the table.
type row struct{ python, code, note string }

// rows reads the table from the files that are compiled, and the text of the document with
// it.
func rows(t *testing.T) (table []row, document string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(intro)
	compiled := map[string]bool{}
	for _, name := range []string{"from_python_test.go", "from_python_apps_test.go"} {
		table = append(table, readTable(t, name, &b, compiled)...)
	}
	for _, found := range named.FindAllStringSubmatch(b.String(), -1) {
		if name := found[1]; !compiled[name] {
			t.Errorf("%s is named but not compiled", name)
		}
	}
	return table, b.String()
}

// readTable reads the table of the first function of a file, adds to its document and notes
// which names are compiled.
func readTable(t *testing.T, name string, document *strings.Builder, compiled map[string]bool) (table []row) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	text := func(from, to token.Pos) string {
		return string(source[files.Position(from).Offset:files.Position(to).Offset])
	}
	var body *ast.BlockStmt
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(function.Name.Name, "fromPython") {
			body = function.Body
		}
	}
	code := map[int]string{} // by line
	for _, statement := range body.List {
		expression, ok := statement.(*ast.ExprStmt)
		if !ok {
			continue
		}
		call := expression.X.(*ast.CallExpr)
		line := files.Position(call.Pos()).Line
		if function, ok := call.Fun.(*ast.Ident); !ok || function.Name != "use" {
			code[line] = text(call.Pos(), call.End()) // A call without a result is the row's code.
		} else if len(call.Args) == 0 {
			code[line] = none
		} else {
			code[line] = text(call.Args[0].Pos(), call.Args[len(call.Args)-1].End())
		}
	}
	for _, group := range file.Comments {
		if group.Pos() < body.Pos() || group.End() > body.End() {
			continue
		}
		lines := strings.Split(strings.TrimSpace(group.Text()), "\n")
		if heading, ok := strings.CutPrefix(lines[0], "## "); ok {
			fmt.Fprintf(document, "\n## %s\n\n%s\n\n| Python | Go | |\n|---|---|---|\n", heading, strings.Join(lines[1:], "\n"))
			continue
		}
		line := files.Position(group.End()).Line + 1
		python, note, _ := strings.Cut(lines[0], ": ")
		if code[line] == "" || len(lines) != 1 {
			t.Fatalf("%s:%d: no call of use follows", name, line)
		}
		if code[line] == none && note == "" {
			t.Errorf("%s:%d: %s has no counterpart and no reason", name, line, python)
		}
		table = append(table, row{python, code[line], note})
		cell := "`" + code[line] + "`"
		if code[line] == none {
			cell = none
		}
		fmt.Fprintf(document, "| `%s` | %s | %s |\n", python, cell, note)
		delete(code, line)
	}
	for line := range code {
		t.Errorf("%s:%d: no comment names the Python call", name, line)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			compiled[text(selector.Pos(), selector.End())] = true
		}
		return true
	})
	return table
}

// The document has the compiled calls, and a row for every method of the Python SDK.
func TestFromPython_MatchesCode(t *testing.T) {
	t.Parallel()
	table, want := rows(t)
	if *update {
		if err := os.WriteFile("from-python.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("from-python.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("from-python.md differs from from_python_test.go; run: go test ./docs -update")
	}
	recorded, err := os.ReadFile("testdata/python_methods.txt")
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	for line := range strings.Lines(string(recorded)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			methods = append(methods, line)
		}
	}
	seen := map[string]int{}
	for _, r := range table {
		seen[r.python]++
		if strings.Contains(r.code, "|") || strings.Contains(r.code, "\n") || strings.Contains(r.code, "`") {
			t.Errorf("%s: its Go call %q does not fit into a table", r.python, r.code)
		}
		if !slices.Contains(methods, r.python) {
			t.Errorf("%s is not a method of the Python SDK", r.python)
		}
	}
	for _, method := range methods {
		if seen[method] != 1 {
			t.Errorf("%s has %d rows, want 1", method, seen[method])
		}
	}
	if len(methods) < 180 {
		t.Errorf("only %d methods recorded", len(methods))
	}
}
