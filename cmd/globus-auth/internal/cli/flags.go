package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// sharedFlags are the flags that several verbs take. Each verb has those that it uses.
func (r *runner) sharedFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.StringVar(&r.baseURL, "base-url", "", "`URL` of the service, such as an emulator (default that of the environment)")
	flags.StringVar(&r.clientID, "client-id", "", "`ID` of the client (default the only one that is logged in)")
	flags.StringVar(&r.secretFile, "client-secret-file", "", "`file` with the secret of the client, which then acts as itself")
	flags.StringVar(&r.profile, "profile", "", "`name` of one of several logins of the client")
	flags.StringVar(&r.store, "store", "", "token `store`: file, sqlite, keyring, or the path of a file (default file)")
	flags.StringVar(&r.storeDir, "store-dir", "", "`directory` of the token files (default ~/.globus/app)")
	return flags
}

// uses adds shared flags to a command.
func (r *runner) uses(command *cobra.Command, names ...string) {
	for _, name := range names {
		command.Flags().AddFlag(r.shared.Lookup(name))
	}
}

// usesLogin adds all shared flags: the command needs a login.
func (r *runner) usesLogin(command *cobra.Command) { command.Flags().AddFlagSet(r.shared) }

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }

// Type is shown in the help in place of a value.
func (c *choice) Type() string { return "word" }

// Set takes a word of the command line.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
	}
	c.value = word
	return nil
}

// choiceFlag adds a flag that takes one of some words.
func choiceFlag(command *cobra.Command, name, value, usage string, words ...string) *choice {
	flag := &choice{value, words}
	command.Flags().Var(flag, name, usage+": "+strings.Join(words, ", "))
	_ = command.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return flag
}

// flagError says what is wrong with the flags of a command line.
func flagError(command *cobra.Command, err error) error {
	if rest := command.Flags().Args(); command.HasSubCommands() && len(rest) > 0 {
		return commandOnly(command, rest)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return usagef("there is no flag %s here", dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()))
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usagef("%s requires a value", dashed(missing.GetSpecifiedName(), missing.GetSpecifiedShortnames()))
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usagef("--%s: %q is invalid: %s", invalid.GetFlag().Name, invalid.GetValue(), reason(invalid))
	}
	if syntax, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usagef("%q is not a flag", syntax.GetSpecifiedFlag())
	}
	return err
}

// dashed is a flag as it was typed: a name, or a letter of several.
func dashed(name, letters string) string {
	if letters == "" {
		return "--" + name
	}
	return "-" + name
}

// reason says what the value of a flag must be.
func reason(invalid *pflag.InvalidValueError) string {
	switch invalid.GetFlag().Value.Type() {
	case "bool":
		return "must be true or false"
	case "duration":
		return "must be a duration such as 90s, 15m or 6h"
	case "stringSlice":
		return "must be values separated by commas"
	}
	return invalid.Unwrap().Error()
}

// exactArgs requires the arguments that the usage line names. One in brackets may be missing, and the last may be a list,
// as in NAME...
func exactArgs(command *cobra.Command, args []string) error {
	names := strings.Fields(command.Use)[1:]
	switch {
	case len(args) > len(names) && !strings.HasSuffix(command.Use, "..."):
		return usagef("too many arguments") // they may be secrets
	case len(args) < len(names) && names[len(args)][0] != '[':
		return usagef("missing argument %s", strings.TrimSuffix(names[len(args)], "..."))
	}
	return nil
}

// commandOnly refuses what is not a command of a group.
func commandOnly(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	command.SuggestionsMinimumDistance = 2
	words := fmt.Sprintf("there is no command %q", strings.TrimPrefix(command.CommandPath()+" "+args[0], appName+" "))
	if near := command.SuggestionsFor(args[0]); len(near) > 0 {
		words += fmt.Sprintf("; did you mean %q?", command.CommandPath()+" "+near[0])
	}
	return usagef("%s", words)
}

// exclude refuses two flags in one command line.
func exclude(command *cobra.Command, one, other string) error {
	if command.Flags().Changed(one) && command.Flags().Changed(other) {
		return usagef("--%s and --%s exclude each other", one, other)
	}
	return nil
}
