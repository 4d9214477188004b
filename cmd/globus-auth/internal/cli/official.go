package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// counterpart is what a user of the official client (globus) types, and what to use here.
type counterpart struct {
	typed string // the first words, of which * is any, and then at most one flag
	use   string // a command line without "globus-auth", or with "!" a sentence
}

// counterparts are tried in their order, and only for command lines that are invalid.
var counterparts = []counterpart{
	{"get-identities", "identities"},
	{"list-commands", "help"},
	{"cli-profile-list", "tokens profiles"},
	{"update", `!run "git pull" and "go install ./cmd/globus-auth" in a clone of its repository`},
	{"login --no-local-server", "login --no-browser"},
	{"login --force", `!"globus-auth login" always logs in`},
	{"login --gcs", "login --scopes SCOPES"},
	{"login --flow", "login --scopes SCOPES"},
	{"login --timer", "login --scopes SCOPES"},
	{"logout --yes", `!"globus-auth logout" does not ask`},
	{"logout --ignore-errors", "logout --forget"},
	{"logout --delete-client", "client delete CLIENT"},
	{"whoami --linked-identities", `!"globus-auth whoami" shows the linked identities`},
	{"whoami -v", `!"globus-auth whoami" shows all fields`},
	{"session update --no-local-server", "session update --no-browser"},
	{"session update --policy", "session update --session-policies POLICY"},
	{"session update --scope", "session consent SCOPE"},
	{"session update --all", "session update --session-identities ID,ID"},
	{"session update *", "session update --session-identities IDENTITY"},
	{"session consent --no-local-server", "session consent --no-browser"},
	{"session consent --timer-data-access", "session consent SCOPE"},
	{"api --body", "!use --input FILE, or --input - for standard input"},
	{"api --body-file", "!use --input FILE"},
	{"api auth", "api GET /v2/api/projects"},
	{"api * * *", "api GET https://transfer.api.globus.org/v0.10/task_list"},
	{"-v", "!use --format json for all fields, and --verbose for the whole of an error"},
	{"-F", "!use --format"},
	{"--debug", "!use --verbose"},
	{"--quiet", "!messages go to standard error, which can be redirected"},
	{"--jmespath", "!use --jq, with a filter of jq"},
	{"--bash-completer", "completion bash"},
	{"--zsh-completer", "completion zsh"},
	{"--completer", "completion"},
	{"--map-http-status", `!the exit codes are fixed: see "globus-auth help"`},
}

// others are the commands of the official client for other services.
var others = []string{
	"bookmark", "collection", "delete", "endpoint", "flows", "gcp", "gcs", "group", "ls", "mkdir", "rename", "rm", "search", "stat",
	"streams", "task", "timer", "transfer",
}

// officialVariables are those of the official client, and their counterparts.
var officialVariables = [][2]string{
	{"GLOBUS_PROFILE", "GLOBUS_AUTH_PROFILE"},
	{"GLOBUS_CLI_CLIENT_ID", clientVariable},
	{"GLOBUS_CLI_CLIENT_SECRET", secretVariable},
}

// meant says what to use in place of an invalid command line that the official client accepts. It is
// empty for any other.
func meant(root *cobra.Command, args []string) string {
	words, flags := typedWords(root, args)
	for _, c := range counterparts {
		if !c.fits(words, flags) {
			continue
		}
		if sentence, found := strings.CutPrefix(c.use, "!"); found {
			return sentence
		}
		return fmt.Sprintf("did you mean %q?", "globus-auth "+c.use)
	}
	if len(words) > 0 && slices.Contains(others, words[0]) {
		return fmt.Sprintf(`use the official client, "globus %s", or send a request with "globus-auth api"`, words[0])
	}
	return ""
}

func (c counterpart) fits(words, flags []string) bool {
	for want := range strings.FieldsSeq(c.typed) {
		switch {
		case strings.HasPrefix(want, "-"):
			if !slices.Contains(flags, want) {
				return false
			}
		case len(words) == 0 || want != "*" && want != words[0]:
			return false
		default:
			words = words[1:]
		}
	}
	return true
}

// typedWords returns the words and the flags of a command line, without their values.
func typedWords(root *cobra.Command, args []string) (words, flags []string) {
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(args[i], "=")
		long, isLong := strings.CutPrefix(name, "--")
		switch {
		case isLong:
			flags = append(flags, name)
			if flag := root.Flags().Lookup(long); flag != nil && flag.NoOptDefVal == "" && !joined {
				i++
			}
		case strings.HasPrefix(name, "-") && len(name) > 1:
			flags = append(flags, name[:2])
		default:
			words = append(words, args[i])
		}
	}
	return words, flags
}
