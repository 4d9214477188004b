//go:build interop

package provider_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the documentation of the provider")

// The documentation is generated from the schemas and the examples.
func TestDocs(t *testing.T) {
	t.Parallel()
	if !ephemeral() {
		t.Skip("the engine leaves the ephemeral resource out")
	}
	s := newSession(t, root+"/terraform/examples/provider/provider.tf")
	s.succeed("init")
	out, status := s.tofu("providers", "schema", "-json")
	if status != 0 {
		t.Fatal(out)
	}
	schema := regexp.MustCompile(`registry\.[a-z.]+/globusauth/`).ReplaceAllString(out, "registry.terraform.io/hashicorp/")
	s.write("schema.json", schema)
	command := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+absolute(t, root+"/tools/tfplugindocs/go.mod"), "tfplugindocs", "generate",
		"--provider-dir="+absolute(t, root+"/terraform"), "--provider-name=globusauth", "--rendered-provider-name=Globus Auth",
		"--providers-schema="+filepath.Join(s.dir, "schema.json"), "--rendered-website-dir="+relative(t, filepath.Join(s.dir, "docs")))
	command.Dir = root + "/tools/tfplugindocs"
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, want := tree(t, filepath.Join(s.dir, "docs")), tree(t, root+"/terraform/docs")
	if *update {
		if err := os.RemoveAll(root + "/terraform/docs"); err != nil {
			t.Fatal(err)
		}
		for name, text := range got {
			path := filepath.Join(root, "terraform/docs", name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	for name, text := range got {
		if want[name] != text {
			t.Errorf("terraform/docs/%s is not what the schemas say; run: go test -C terraform -tags interop ./internal/provider -run TestDocs -update", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("terraform/docs has %d pages, want %d", len(want), len(got))
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// relative is a path as seen from the folder of the provider.
func relative(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Rel(absolute(t, root+"/terraform"), path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tree reads all files of a folder.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, path))
		files[path] = string(text)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

// The examples of the documentation are one configuration, which can be applied.
func TestDocs_Examples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/terraform/examples/*/*/*.tf")
	if err != nil || len(files) < 18 {
		t.Fatalf("found %d examples: %v", len(files), err)
	}
	s := newSession(t, root+"/terraform/examples/provider/provider.tf")
	for _, name := range files {
		if strings.Contains(name, "/ephemeral-resources/") && !ephemeral() {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s.write(strings.ReplaceAll(strings.TrimPrefix(name, root+"/terraform/examples/"), "/", "-"), string(text))
	}
	s.want(s.succeed("fmt", "-check", "-diff"), `^$`)
	s.succeed("init")
	s.succeed("apply", "-auto-approve")
	s.want(s.succeed("plan", "-detailed-exitcode"), `No changes`)
	s.succeed("destroy", "-auto-approve")
}
