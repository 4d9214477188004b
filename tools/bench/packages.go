package main

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// pkg is a package with benchmarks.
type pkg struct {
	dir    string // in the repository; "." is its root
	module string // folder of its go.mod
	path   string // import path
	// docs are the comments of the benchmarks, in the order of the source.
	docs []doc
	// peers are other modules that the benchmarks use, with versions.
	peers []string
}

type doc struct{ name, text string }

// pattern is the argument for go test in the folder of the module.
func (p pkg) pattern() string {
	rel, err := filepath.Rel(p.module, p.dir)
	if err != nil || rel == "." {
		return "."
	}
	return "./" + filepath.ToSlash(rel)
}

// findPackages returns all packages with benchmarks, sorted.
func findPackages(root string) ([]pkg, error) {
	modules := map[string]*modfile.File{}
	found := map[string]*pkg{}
	var dirs []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name := entry.Name()
		switch {
		case entry.IsDir() && rel != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata"):
			return fs.SkipDir
		case name == "go.mod":
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			modules[filepath.Dir(rel)], err = modfile.Parse(file, text, nil)
			return err
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("\nfunc Benchmark")) {
			return err
		}
		dir := filepath.Dir(rel)
		if found[dir] == nil {
			found[dir] = &pkg{dir: dir}
			dirs = append(dirs, dir)
		}
		return found[dir].read(file, text)
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(dirs)
	var list []pkg
	for _, dir := range dirs {
		p := found[dir]
		for p.module = dir; modules[p.module] == nil; p.module = filepath.Dir(p.module) {
		}
		mod := modules[p.module]
		rel, err := filepath.Rel(p.module, dir)
		if err != nil {
			return nil, err
		}
		p.path = path.Join(mod.Module.Mod.Path, filepath.ToSlash(rel))
		p.versions(mod)
		list = append(list, *p)
	}
	return list, nil
}

// read adds the benchmarks and the imports of a file.
func (p *pkg) read(name string, text []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Benchmark") {
			comment := strings.TrimSpace(f.Doc.Text())
			p.docs = append(p.docs, doc{strings.TrimPrefix(f.Name.Name, "Benchmark"), strings.ReplaceAll(comment, "\n", " ")})
		}
	}
	for _, i := range file.Imports {
		p.peers = append(p.peers, strings.Trim(i.Path.Value, `"`))
	}
	return nil
}

const repository = "github.com/globusauth/globusauth"

// versions replaces the imports by the modules that they are in, with versions.
func (p *pkg) versions(mod *modfile.File) {
	var peers []string
	for _, r := range mod.Require {
		isIn := func(path string) bool { return strings.HasPrefix(path+"/", r.Mod.Path+"/") }
		if !strings.HasPrefix(r.Mod.Path, repository) && slices.ContainsFunc(p.peers, isIn) {
			peers = append(peers, r.Mod.Path+" "+r.Mod.Version)
		}
	}
	slices.SortFunc(peers, cmp.Compare[string])
	p.peers = slices.Compact(peers)
}
