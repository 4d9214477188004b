package main

import (
	"context"
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
		fmt.Fprintln(out, "There is no earlier tag: nothing to compare.")
		return nil
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	old := filepath.Join(work, "old")
	if _, err := output(ctx, root, nil, "git", "clone", "-q", "--shared", "--branch", last, root, old); err != nil {
		return err
	}
	released, _, err := modules(ctx, root)
	if err != nil {
		return err
	}
	for _, dir := range released {
		fmt.Fprintf(out, "\n# Go API of %s since %s\n\n", filepath.Join(modulePath, dir), last)
		if _, err := os.Stat(filepath.Join(old, dir, "go.mod")); err != nil {
			fmt.Fprint(out, "New module.\n")
			continue
		}
		if err := apidiff(ctx, root, filepath.Join(old, dir), filepath.Join(root, dir), work, filepath.Join(modulePath, dir), out); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n# OpenAPI document since %s (error: breaks clients, warning: may break them)\n\n", last)
	spec := filepath.Join("spec", "auth.openapi.yaml")
	return tool(ctx, root, root, out, "oasdiff", "changelog", "--color", "never", filepath.Join(old, spec), filepath.Join(root, spec))
}

// apidiff compares two versions of a module. Both are read from their folders.
func apidiff(ctx context.Context, root, before, after, work, module string, out io.Writer) error {
	exports := []string{filepath.Join(work, "before"), filepath.Join(work, "after")}
	for i, dir := range []string{before, after} {
		if err := tool(ctx, root, dir, nil, "apidiff", "-m", "-w", exports[i], module); err != nil {
			return err
		}
	}
	return tool(ctx, root, after, out, "apidiff", "-m", exports[0], exports[1])
}
