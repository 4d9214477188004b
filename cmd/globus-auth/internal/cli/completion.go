package cli

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
)

// completeShared adds the values of the flags that commands share.
func (r *runner) completeShared(root *cobra.Command) {
	for name, values := range map[string]cobra.CompletionFunc{
		"client-id": r.storedValues(func(p profile) []string { return []string{p.ClientID} }),
		"profile":   r.storedValues(func(p profile) []string { return []string{p.Profile} }),
		"store":     cobra.FixedCompletions([]string{"file", "sqlite", "keyring"}, cobra.ShellCompDirectiveDefault), // or a file
	} {
		_ = root.RegisterFlagCompletionFunc(name, values) // root has the flags
	}
}

func (r *runner) storedServers() cobra.CompletionFunc {
	return r.storedValues(func(p profile) []string { return p.ResourceServers })
}

func completeScopes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return strings.Fields(scopes.WellKnown().String()), cobra.ShellCompDirectiveNoFileComp
}

func addCompletion(root *cobra.Command) {
	root.SetCompletionCommandGroupID(programs)
	root.InitDefaultCompletionCmd("completion")
	shells := find(root, "completion")
	shells.Short = "Print a script that completes commands in a shell"
	shells.Long = `Print a script for a shell, which then completes commands, flags, stored clients,
profiles, resource servers and scopes. The help of each shell says how to load
its script.`
	shells.Args, shells.RunE = commandOnly, help
	bash := find(shells, "bash")
	script := bash.RunE
	bash.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := io.WriteString(cmd.OutOrStdout(), bashAlone); err != nil {
			return err
		}
		return script(cmd, args)
	}
}

// bashAlone is what the script for bash needs of the package bash-completion, which many machines lack. A value with a
// colon is completed with the package only.
const bashAlone = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    }
fi
`

// storedValues offers a field of all stored logins, or of those of the client that is chosen. What
// cannot be read is left out: a completion shows no errors.
func (r *runner) storedValues(field func(profile) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) (values []string, _ cobra.ShellCompDirective) {
		list, _ := r.profiles(cmd.Context())
		for _, p := range list {
			if r.clientID == "" || p.ClientID == r.clientID {
				values = append(values, field(p)...)
			}
		}
		// A service chooses the names of resource servers.
		values = slices.DeleteFunc(values, func(value string) bool { return !harmless().MatchString(value) })
		slices.Sort(values)
		return slices.Compact(values), cobra.ShellCompDirectiveNoFileComp
	}
}
