// Command release lists the tags of a release, builds its files, and reports what
// changed since the last one. docs/releasing.md says when to run what. Run it from
// anywhere in the tree:
//
//	go -C tools/release run . COMMAND
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

const usage = `usage: release COMMAND

  pin VERSION             Make all modules require VERSION of the others.
  tags VERSION            Print the tags of VERSION, one for each module that is released.
  build DIR [TARGET...]   Write the archives, SBOMs, image and checksums of the checked out commit into DIR,
                          for targets like linux/amd64 (default: all platforms of a release).
  diff                    Report what changed in the Go API and in the OpenAPI document since the last tag.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	root, err := output(ctx, "", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "pin":
		return pin(ctx, root, args[1])
	case len(args) == 2 && args[0] == "tags":
		names, err := tags(ctx, root, args[1])
		if err == nil {
			_, err = fmt.Fprintln(out, strings.Join(names, "\n"))
		}
		return err
	case len(args) >= 2 && args[0] == "build":
		dir, targets := args[1], args[2:]
		if !filepath.IsAbs(dir) { // go -C has changed the folder
			dir = filepath.Join(root, dir)
		}
		if len(targets) == 0 {
			targets = platforms()
		}
		return build(ctx, root, dir, programs(), targets)
	case len(args) == 1 && args[0] == "diff":
		return diff(ctx, root, out)
	}
	return fmt.Errorf("invalid arguments\n\n%s", usage)
}

// output runs a program in dir, with variables beside those of the environment, and returns
// what it prints. The error has what it wrote to standard error.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(stdout.String()), nil
}
