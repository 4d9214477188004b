package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

const modulePath = "github.com/globusauth/globusauth"

// requirement is the requirement of a module of this repository in a go.mod file.
var requirement = regexp.MustCompile(`(?m)^((?:require )?\s*github\.com/globusauth/globusauth(?:/\S*)? )(v\S+)`)

// modules returns the folders with a go.mod, relative to the root.
func modules(ctx context.Context, root string) ([]string, error) {
	files, err := output(ctx, root, nil, "git", "ls-files", "go.mod", "*/go.mod")
	var dirs []string
	for file := range strings.FieldsSeq(files) {
		dirs = append(dirs, path.Dir(file))
	}
	return dirs, err
}

// released returns the modules that users import. Tools are not released, and examples are copied.
func released(ctx context.Context, root string) ([]string, error) {
	all, err := modules(ctx, root)
	var dirs []string
	for _, dir := range all {
		if top, _, _ := strings.Cut(dir, "/"); top != "tools" && top != "examples" {
			dirs = append(dirs, dir)
		}
	}
	return dirs, err
}

// pin makes all modules require one version of the others. Modules that are not
// released need it as well: their requirement must not be below that of a module that
// they require.
func pin(ctx context.Context, root, version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("the version %q is invalid; write it like v1.2.3", version)
	}
	dirs, err := modules(ctx, root)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		name := filepath.Join(root, dir, "go.mod")
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, requirement.ReplaceAll(text, []byte("${1}"+version)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tags returns the tags of a version. All modules have the same version, and a tag of
// a nested module begins with its folder.
func tags(ctx context.Context, root, version string) ([]string, error) {
	dirs, err := released(ctx, root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
		if err != nil {
			return nil, err
		}
		for _, match := range requirement.FindAllSubmatch(text, -1) {
			if string(match[2]) != version {
				return nil, fmt.Errorf("%s/go.mod has %q, not %s; run: release pin %[3]s", dir, strings.TrimSpace(string(match[0])), version)
			}
		}
		names = append(names, path.Join(dir, version))
	}
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if heading := "## " + strings.TrimPrefix(version, "v"); err == nil && !section(string(changes), heading) {
		err = fmt.Errorf("CHANGELOG.md has no section %q", heading)
	}
	return names, err
}

// section reports whether a document has a heading, alone or with a date behind it.
func section(document, heading string) bool {
	for line := range strings.Lines(document) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), heading); ok && (rest == "" || rest[0] == ' ') {
			return true
		}
	}
	return false
}
