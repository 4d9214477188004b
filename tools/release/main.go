// Command release lists the tags of a release, builds its files, reports what
// changed since the last one, and rehearses all of it. docs/releasing.md says when
// to run what. Run it from anywhere in the tree:
//
//	go -C tools/release run . COMMAND
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

const usage = `usage: release COMMAND

  pin VERSION    Make all modules require VERSION of the others.
  tags VERSION   Print the tags of VERSION, one for each module that is released.
  build DIR      Write the archives, SBOMs, image and checksums of the checked out commit into DIR.
  diff           Report what changed in the Go API and in the OpenAPI document since the last tag.
  dryrun         Rehearse a release of the last commit in temporary clones.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	root, err := output(ctx, "", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "pin":
		return pin(ctx, root, args[1])
	case len(args) == 2 && args[0] == "tags":
		tags, err := tags(ctx, root, args[1])
		for _, tag := range tags {
			fmt.Println(tag)
		}
		return err
	case len(args) == 2 && args[0] == "build":
		dir := args[1]
		if !filepath.IsAbs(dir) { // go -C has changed the folder
			dir = filepath.Join(root, dir)
		}
		return build(ctx, root, dir, programs(), targets(), nil)
	case len(args) == 1 && args[0] == "diff":
		return diff(ctx, root, os.Stdout)
	case len(args) == 1 && args[0] == "dryrun":
		return dryrun(ctx, root)
	}
	return errors.New("invalid arguments\n\n" + usage)
}

// output runs a program in dir, with variables beside those of the environment, and
// returns what it prints.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	var stdout bytes.Buffer
	err := command(ctx, dir, env, &stdout, name, args...)
	return strings.TrimSpace(stdout.String()), err
}

// command runs a program. The error has what it wrote to standard error.
func command(ctx context.Context, dir string, env []string, stdout io.Writer, name string, args ...string) error {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return nil
}

// tool runs a tool of this module in dir. It reads packages as the release compiles them, from the same cache.
func tool(ctx context.Context, root, dir string, stdout io.Writer, args ...string) error {
	modfile := filepath.Join(root, "tools", "release", "go.mod")
	args = append([]string{"tool", "-modfile=" + modfile}, args...)
	return command(ctx, dir, []string{"GOFLAGS=-trimpath", "GOWORK=off", "CGO_ENABLED=0"}, stdout, "go", args...)
}
