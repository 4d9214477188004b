package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpOf is the help of a command in a terminal of some columns.
func helpOf(columns int, path ...string) string {
	var out bytes.Buffer
	r := &runner{Streams: Streams{Out: &out, Err: &out}, getenv: func(name string) string {
		return map[string]string{"COLUMNS": fmt.Sprint(columns)}[name]
	}}
	root := r.root(path)
	root.SetArgs(append(path, "--help"))
	if err := root.Execute(); err != nil {
		return err.Error()
	}
	return out.String()
}

// eachCommand calls a function for all commands.
func eachCommand(command *cobra.Command, do func(*cobra.Command)) {
	do(command)
	for _, child := range command.Commands() {
		eachCommand(child, do)
	}
}

func newRoot() *cobra.Command {
	return (&runner{getenv: func(string) string { return "" }}).root(nil)
}

func TestHelp_FitsTheTerminal(t *testing.T) {
	t.Parallel()
	eachCommand(newRoot(), func(command *cobra.Command) {
		path := strings.Fields(command.CommandPath())[1:]
		for _, columns := range []int{60, 80, 200} {
			text := helpOf(columns, path...)
			if !strings.Contains(text, "\nUsage:\n  "+command.CommandPath()) {
				t.Fatalf("%q shows\n%s", path, text)
			}
			longest := 0
			for line := range strings.SplitSeq(text, "\n") {
				longest = max(longest, uniseg.StringWidth(line))
			}
			if longest > columns || columns == 200 && longest > 100 {
				t.Errorf("%q in %d columns has a line of %d", path, columns, longest)
			}
		}
	})
}

// A command has the shared flags that it uses, and no others.
func TestCommands_SharedFlags(t *testing.T) {
	t.Parallel()
	const all = "base-url client-id client-secret-file profile store store-dir"
	without := map[string]string{
		"globus-auth help": "", "globus-auth scopes parse": "", "globus-auth quickstart": "", "globus-auth emulator": "",
		"globus-auth completion bash": "", "globus-auth completion fish": "", "globus-auth completion powershell": "",
		"globus-auth completion zsh": "", "globus-auth version": "", "globus-auth id-token decode": "", "globus-auth tokens profiles": "client-id store store-dir",
		"globus-auth guard": "base-url client-secret-file", "globus-auth introspect": "base-url client-id client-secret-file",
		"globus-auth jwks": "base-url", "globus-auth openid-configuration": "base-url",
	}
	eachCommand(newRoot(), func(command *cobra.Command) {
		var shared []string
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if strings.Contains(" "+all+" ", " "+flag.Name+" ") {
				shared = append(shared, flag.Name)
			}
		})
		want, listed := without[command.CommandPath()]
		switch {
		case listed:
		case command.HasParent() && command.HasSubCommands() && command.Name() != "tokens":
			want = ""
		default:
			want = all
		}
		if got := strings.Join(shared, " "); got != want {
			t.Errorf("%s has %q, want %q", command.CommandPath(), got, want)
		}
	})
}

// A command line makes no more commands than it needs, and needs no other.
func TestRoot_FindsEachCommand(t *testing.T) {
	t.Parallel()
	count := func(root *cobra.Command) (n int) {
		eachCommand(root, func(*cobra.Command) { n++ })
		return n
	}
	all := count(newRoot())
	eachCommand(newRoot(), func(command *cobra.Command) {
		path := strings.Fields(command.CommandPath())[1:]
		root := (&runner{getenv: func(string) string { return "" }}).root(path)
		found, rest, err := root.Find(path)
		if err != nil || len(rest) > 0 || found.CommandPath() != command.CommandPath() || found.Flags().FlagUsages() != command.Flags().FlagUsages() {
			t.Errorf("%q finds %q, %q, %v", path, found.CommandPath(), rest, err)
		}
	})
	if few := count((&runner{getenv: func(string) string { return "" }}).root([]string{"--store", "file", "token", "x"})); few > all/2 {
		t.Errorf("the verb token makes %d of %d commands", few, all)
	}
	for _, args := range [][]string{{"nosuch"}, {"help", "project", "list"}, {"__complete", "pro"}, {"--help"}} {
		if made := count((&runner{getenv: func(string) string { return "" }}).root(args)); made != all {
			t.Errorf("%q makes %d of %d commands", args, made, all)
		}
	}
}
