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

What the authentication part of globus-sdk-python does, and the same in Go. Every Go call takes a context and returns an
error beside its result. The Go column is compiled: it is taken from ` + "`from_python_test.go`" + `, which writes this file with
` + "`go test ./docs -update`" + `.
`

// named is a Go name within back quotes.
var named = regexp.MustCompile("`\\*?([a-z]+\\.[A-Z]\\w*)")

// row is one row of the table.
type row struct{ python, code, note string }

// rows reads the table from this file, and the text of the document with it.
func rows(t *testing.T) (table []row, document string) {
	t.Helper()
	const name = "from_python_test.go"
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
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Name.Name == "fromPython" {
			body = function.Body
		}
	}
	var b strings.Builder
	b.WriteString(intro)
	code := map[int]string{} // by line
	for _, statement := range body.List {
		expression, ok := statement.(*ast.ExprStmt)
		if !ok {
			continue
		}
		call := expression.X.(*ast.CallExpr)
		from, to := call.Pos(), call.End() // a call without a result stands for itself
		if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "use" {
			from, to = call.Args[0].Pos(), call.Args[len(call.Args)-1].End()
		}
		code[files.Position(call.Pos()).Line] = text(from, to)
	}
	for _, group := range file.Comments {
		if group.Pos() < body.Pos() || group.End() > body.End() {
			continue
		}
		lines := strings.Split(strings.TrimSpace(group.Text()), "\n")
		if heading, ok := strings.CutPrefix(lines[0], "## "); ok {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| Python | Go | |\n|---|---|---|\n", heading, strings.Join(lines[1:], "\n"))
			continue
		}
		line := files.Position(group.End()).Line + 1
		python, note, _ := strings.Cut(lines[0], ": ")
		if code[line] == "" || len(lines) != 1 {
			t.Fatalf("line %d: no call of use follows", line)
		}
		table = append(table, row{python, code[line], note})
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", python, code[line], note)
		delete(code, line)
	}
	compiled := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			compiled[text(selector.Pos(), selector.End())] = true
		}
		return true
	})
	for _, found := range named.FindAllStringSubmatch(b.String(), -1) {
		if name := found[1]; !compiled[name] {
			t.Errorf("%s is named and nowhere compiled", name)
		}
	}
	for line := range code {
		t.Errorf("line %d: no comment names the Python call", line)
	}
	return table, b.String()
}

// The document holds the calls that were compiled, and every method of the Python
// SDK has one.
func TestFromPython(t *testing.T) {
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
		t.Error("from-python.md is not what from_python_test.go says; run: go test ./docs -update")
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
	if len(methods) < 70 {
		t.Errorf("only %d methods recorded", len(methods))
	}
}
