package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// diff reports what changed since the last tag before the checked out commit: the
// exported API of each module, and the OpenAPI document.
func diff(ctx context.Context, root string, out io.Writer) error {
	tags, err := output(ctx, root, nil, "git", "tag", "--list", "v*", "--merged", "HEAD", "--no-contains", "HEAD", "--sort=-v:refname")
	if err != nil {
		return err
	}
	last, _, _ := strings.Cut(tags, "\n")
	if last == "" {
		_, err := fmt.Fprintln(out, "There is no earlier tag: nothing to compare.")
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	old := filepath.Join(work, "old")
	if _, err := output(ctx, root, nil, "git", "clone", "-q", "--shared", "--branch", last, root, old); err != nil {
		return err
	}
	dirs, err := released(ctx, root)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		report := "New module."
		if _, err := os.Stat(filepath.Join(old, dir, "go.mod")); err == nil {
			if report, err = apidiff(ctx, root, old, dir, work); err != nil {
				return err
			}
		}
		_, _ = fmt.Fprintf(out, "# Go API of %s since %s\n\n%s\n\n", filepath.Join(modulePath, dir), last, report)
	}
	spec := filepath.Join("spec", "auth.openapi.yaml")
	report, err := tool(ctx, root, root, "oasdiff", "changelog", "--color", "never", filepath.Join(old, spec), filepath.Join(root, spec))
	_, failed := fmt.Fprintf(out, "# OpenAPI document since %s (error: breaks clients, warning: may break them)\n\n%s\n", last, report)
	return errors.Join(err, failed)
}

// apidiff compares the API of a module in two trees.
func apidiff(ctx context.Context, root, old, dir, work string) (string, error) {
	before, after := filepath.Join(work, "before"), filepath.Join(work, "after")
	for export, tree := range map[string]string{before: old, after: root} {
		if _, err := tool(ctx, root, filepath.Join(tree, dir), "apidiff", "-m", "-w", export, filepath.Join(modulePath, dir)); err != nil {
			return "", err
		}
	}
	return tool(ctx, root, filepath.Join(root, dir), "apidiff", "-m", before, after)
}

// tool runs a tool of this module in dir. It reads packages as the release compiles them, from the same cache.
func tool(ctx context.Context, root, dir string, args ...string) (string, error) {
	args = append([]string{"tool", "-modfile=" + filepath.Join(root, "tools", "release", "go.mod")}, args...)
	return output(ctx, dir, []string{"GOFLAGS=-trimpath", "GOWORK=off", "CGO_ENABLED=0"}, "go", args...)
}
