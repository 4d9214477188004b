// Command rooms counts what is written by hand in each package: lines of code
// (without comments, blank lines, tests and generated files), exported names with
// their methods, and exported struct fields. Run it from the root of the tree:
//
//	go -C tools run ./rooms
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// room is one package.
type room struct {
	path                 string
	lines, names, fields int
}

func main() {
	root := ".."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(root); err != nil {
		fmt.Fprintln(os.Stderr, "rooms:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	var rooms []*room
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		case path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "testdata"):
			return filepath.SkipDir
		}
		r, err := count(path)
		if err != nil {
			return err
		}
		if r.path, err = filepath.Rel(root, path); err == nil && r.lines > 0 {
			rooms = append(rooms, r)
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%-38s %7s %7s %7s\n", "package", "lines", "names", "fields")
	sums := map[string]*room{}
	for _, r := range rooms {
		fmt.Printf("%-38s %7d %7d %7d\n", filepath.ToSlash(r.path), r.lines, r.names, r.fields)
		part := partOf(filepath.ToSlash(r.path))
		if sums[part] == nil {
			sums[part] = &room{}
		}
		sums[part].lines += r.lines
		sums[part].names += r.names
		sums[part].fields += r.fields
	}
	fmt.Println()
	for _, part := range []string{"the client side", "authtest", "cmd", "resource servers", "shared stores", "terraform", "examples", "the rest"} {
		if s := sums[part]; s != nil {
			fmt.Printf("%-38s %7d %7d %7d\n", part, s.lines, s.names, s.fields)
		}
	}
	return nil
}

// partOf tells which of the sums a package counts for.
func partOf(path string) string {
	for _, part := range []struct {
		name     string
		prefixes []string
	}{
		{"resource servers", []string{"resourceserver", "gen/groups", "cmd/globus-auth/internal/guard"}},
		{"shared stores", []string{"tokens/pgstore", "tokens/redisstore", "tokens/sealed", "tokens/internal/lease", "tokens/internal/fleettest", "sharedcache"}},
		{"terraform", []string{"terraform"}},
		{"authtest", []string{"authtest", "internal/server", "internal/pages", "internal/emulator"}},
		{"cmd", []string{"cmd"}},
		{"examples", []string{"examples"}},
		{"the rest", []string{"contract_tests", "docs", "tools", "spec", "internal/bench", "internal/apitest"}},
	} {
		for _, prefix := range part.prefixes {
			if path == prefix || strings.HasPrefix(path, prefix+"/") {
				return part.name
			}
		}
	}
	return "the client side"
}

func count(dir string) (*room, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	r := &room{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".gen.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		r.lines += codeLines(source)
		for _, decl := range parsed.Decls {
			r.add(decl)
		}
	}
	return r, nil
}

// codeLines counts the lines that hold anything but white space and comments.
func codeLines(source []byte) int {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	count, last := 0, 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return count
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue // inserted at the end of a line
		}
		first := file.Line(pos)
		end := first + bytes.Count([]byte(text), []byte("\n"))
		count += end - max(first, last+1) + 1
		last = end
	}
}

// add counts what a declaration exports.
func (r *room) add(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv.List[0].Type)) {
			r.names++
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() {
						r.names++
					}
				}
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				r.names++
				if fields, ok := s.Type.(*ast.StructType); ok {
					for _, field := range fields.Fields.List {
						for _, name := range field.Names {
							if name.IsExported() {
								r.fields++
							}
						}
					}
				}
			}
		}
	}
}

func exportedReceiver(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return exportedReceiver(e.X)
	case *ast.IndexExpr:
		return exportedReceiver(e.X)
	case *ast.Ident:
		return e.IsExported()
	}
	return false
}
