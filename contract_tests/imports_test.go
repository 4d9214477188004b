package contract_test

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/globusauth/globusauth"

// heavy is what a light package must not import, directly or indirectly. A name
// includes all packages below it.
var heavy = []string{
	// Test libraries and the test double.
	"testing", "net/http/httptest", "github.com/jarcoal/httpmock", "github.com/getkin/kin-openapi", "go.uber.org/goleak",
	"github.com/google/go-cmp", "pgregory.net/rapid", "github.com/stretchr/testify",
	module + "/authtest", module + "/internal/server", module + "/tokens/storetest",
	// The command.
	"github.com/spf13/cobra", "github.com/spf13/pflag", "flag", "github.com/pkg/browser", "golang.org/x/term",
	// Stores and caches.
	"github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3-wasm", "github.com/gofrs/flock", "github.com/zalando/go-keyring", "github.com/maypok86/otter", "github.com/tink-crypto/tink-go/v2",
	// The generator, its runtime, and other formats.
	"github.com/oapi-codegen/oapi-codegen", "github.com/oapi-codegen/runtime", "go.yaml.in/yaml", "gopkg.in/yaml.v3", "gopkg.in/yaml.v2",
}

// light are the packages without heavy dependencies. Each other package of the
// module needs one.
var light = []string{".", "./flows", "./tokens", "./idtoken", "./scopes", "./apierror", "./consents", "./gen", "./unixtime"}

func TestImports_LightPackages(t *testing.T) {
	t.Parallel()
	for _, pkg := range light {
		deps := goList(t, "-deps", "-f", "{{.ImportPath}}", pkg)
		if len(deps) < 10 {
			t.Fatalf("%s has %d dependencies: the list is wrong", pkg, len(deps))
		}
		for _, dep := range deps {
			if found := covering(heavy, dep); found != "" {
				t.Errorf("%s imports %s (excluded by %s)", pkg, dep, found)
			}
		}
	}
}

// TestImports_AuthtestWithoutEmulator keeps the dashboard, the control API and the
// reference out of users' tests.
func TestImports_AuthtestWithoutEmulator(t *testing.T) {
	t.Parallel()
	for _, dep := range goList(t, "-deps", "-f", "{{.ImportPath}}", "./authtest") {
		if dep == module+"/internal/emulator" || dep == module+"/docs/api" || dep == module+"/spec" {
			t.Errorf("authtest imports %s", dep)
		}
	}
}

// covering returns which of names is path or a folder above it.
func covering(names []string, path string) string {
	for _, name := range names {
		if path == name || strings.HasPrefix(path, name+"/") {
			return name
		}
	}
	return ""
}

// TestImports_HeavyNamesExist finds typing errors in heavy.
func TestImports_HeavyNamesExist(t *testing.T) {
	t.Parallel()
	deps := goList(t, "-deps", "-test", "-e", "-f", "{{.ImportPath}}", "./...")
	required := requiredModules(t)
	for _, name := range heavy {
		if !slices.ContainsFunc(deps, func(dep string) bool { return covering([]string{name}, dep) != "" }) &&
			!slices.ContainsFunc(required, func(path string) bool { return covering([]string{name}, path) != "" }) &&
			!slices.Contains(elsewhere, name) {
			t.Errorf("no package or module %s", name)
		}
	}
}

// elsewhere are modules that this one must not use, and does not.
var elsewhere = []string{
	"github.com/oapi-codegen/oapi-codegen", "gopkg.in/yaml.v3", "gopkg.in/yaml.v2", "github.com/stretchr/testify",
}

// mayImportTesting are the packages for tests: of users, and of several packages here.
var mayImportTesting = []string{"authtest", "authtest/apptest", "internal/apitest", "internal/bench", "tokens/internal/fleettest", "tokens/storetest"}

func TestImports_TestingOnlyInTests(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, file := range sourceFiles(t, "..") {
		folder := filepath.ToSlash(filepath.Dir(file))
		for _, path := range importsOf(t, filepath.Join("..", file)) {
			if path != "testing" && !strings.HasPrefix(path, "testing/") && path != "net/http/httptest" {
				continue
			}
			found[folder] = true
			if !slices.Contains(mayImportTesting, folder) {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
	for _, folder := range mayImportTesting {
		if !found[folder] {
			t.Errorf("no file of %s imports testing: remove it from the list", folder)
		}
	}
}

// sourceFiles lists the module's Go files except tests, relative to root.
func sourceFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case ".git", "node_modules", "testdata", "tools":
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, relative)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files found", len(files))
	}
	return files
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range parsed.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// goList runs go list in the module's root and returns its lines.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	command.Dir = ".."
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestImports_NoGeneratorInGoMod keeps the generator out of the module graph of
// importers.
func TestImports_NoGeneratorInGoMod(t *testing.T) {
	t.Parallel()
	for _, path := range requiredModules(t) {
		if covering([]string{"github.com/oapi-codegen/oapi-codegen"}, path) != "" {
			t.Errorf("go.mod names %s", path)
		}
	}
}

// requiredModules are the modules and tools that go.mod names.
func requiredModules(t *testing.T) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	command.Dir = ".."
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct{ Path string }
		Tool    []struct{ Path string }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Require) == 0 {
		t.Fatal("go.mod requires nothing: it was not read")
	}
	var paths []string
	for _, required := range slices.Concat(file.Require, file.Tool) {
		paths = append(paths, required.Path)
	}
	return paths
}
