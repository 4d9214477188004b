package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const modulePath = "github.com/globusauth/globusauth"

// modules returns the folders with a go.mod, relative to the root. Tools are not
// released, and examples are copied.
func modules(ctx context.Context, root string) (released, rest []string, err error) {
	files, err := output(ctx, root, nil, "git", "ls-files", "go.mod", "*/go.mod")
	for file := range strings.FieldsSeq(files) {
		dir := path.Dir(file)
		if strings.HasPrefix(dir, "tools") || strings.HasPrefix(dir, "examples/") {
			rest = append(rest, dir)
			continue
		}
		released = append(released, dir)
	}
	return released, rest, err
}

// eachRequire calls use for the requirements of modules of this repository.
func eachRequire(root string, dirs []string, use func(file *modfile.File, dir, module, version string) error) error {
	for _, dir := range dirs {
		name := filepath.Join(root, dir, "go.mod")
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := modfile.Parse(name, data, nil)
		if err != nil {
			return err
		}
		for _, require := range file.Require {
			if require.Mod.Path == modulePath || strings.HasPrefix(require.Mod.Path, modulePath+"/") {
				if err := use(file, dir, require.Mod.Path, require.Mod.Version); err != nil {
					return err
				}
			}
		}
		changed, err := file.Format()
		if err != nil {
			return err
		}
		if string(changed) != string(data) {
			if err := os.WriteFile(name, changed, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// pin makes all modules require one version of the others. Modules that are not
// released need it as well: their requirement must not be below that of a module that
// they require.
func pin(ctx context.Context, root, version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("the version %q is invalid; write it like v1.2.3", version)
	}
	released, rest, err := modules(ctx, root)
	if err != nil {
		return err
	}
	return eachRequire(root, append(released, rest...), func(file *modfile.File, _, module, _ string) error {
		return file.AddRequire(module, version)
	})
}

// heading begins the section of a version in the changelog.
func heading(version string) string { return "## " + strings.TrimPrefix(version, "v") }

// tags returns the tags of a version. All modules have the same version, and a tag of
// a nested module begins with its folder.
func tags(ctx context.Context, root, version string) ([]string, error) {
	released, _, err := modules(ctx, root)
	if err != nil {
		return nil, err
	}
	err = eachRequire(root, released, func(_ *modfile.File, dir, module, required string) error {
		if required != version {
			return fmt.Errorf("%s/go.mod requires %s %s, not %s; run: release pin %[4]s", dir, module, required, version)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(changes), "\n"+heading(version)) {
		return nil, fmt.Errorf("CHANGELOG.md has no section %q", heading(version))
	}
	names := make([]string, len(released))
	for i, dir := range released {
		names[i] = path.Join(dir, version)
	}
	return names, nil
}
