// Package cli is the command globus-auth: each verb is a few lines over a
// package of the library.
package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/internal/origin"
)

// Streams are where the command reads and writes. Err is written by several goroutines.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// closeTimeout is how long a command waits at its end for requests that it has sent.
const closeTimeout = 15 * time.Second

// Run runs one command line and returns its exit code. When ctx ends, it stops and prints what
// it has, but waits for renewals that were sent: without the response, a login is lost whose
// refresh token was replaced.
func Run(ctx context.Context, args []string, streams Streams, getenv func(string) string) int {
	return (&runner{Streams: streams, getenv: getenv, logoutTimeout: 15 * time.Second}).run(ctx, args)
}

func (r *runner) run(ctx context.Context, args []string) int {
	root := r.root(args) //nolint:contextcheck // the commands get the context when they run
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	r.close(ctx)
	if err == nil {
		return ExitOK
	}
	code := exitCode(ctx, err)
	if !r.started {
		code = ExitUsage
	}
	switch words := r.text(err); {
	case code == ExitInterrupted && !isProblem(err):
		if isTerminal(r.Err) { // which shows ^C
			_, _ = fmt.Fprintln(r.Err)
		}
		r.tell("interrupted")
	case words == "": // it is printed already
	case !r.started && meant(root, args) != "":
		words, _, _ = strings.Cut(words, "; did you mean")
		r.tell("%s; %s", words, meant(root, args))
	case !r.started && !strings.HasSuffix(words, "?"):
		if command.Name() == "help" { // which shows that of another
			command = root
		}
		r.tell("%s; see %q", words, command.CommandPath()+" --help")
	default:
		r.tell("%s", words)
	}
	return code
}

// runner is what every verb shares.
type runner struct {
	Streams
	getenv  func(string) string
	started bool // the command line is valid
	shared  *pflag.FlagSet

	// Flags of every verb.
	baseURL, clientID, secretFile, profile, store, storeDir string
	verbose                                                 bool

	// Settings of environment and configuration file, and what is wrong with them.
	environment, format, configPath string
	settings                        []*setting
	settingsErr                     error

	minValid time.Duration // of the verb token

	apps          []*app.App    // that were opened
	logoutTimeout time.Duration // for the revocation of all tokens
}

// tell prints a line on standard error.
func (r *runner) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(r.Err, "%s "+format+"\n", append([]any{r.paint(r.Err, "1;31", "globus-auth:")}, args...)...)
}

// close waits for what was sent.
func (r *runner) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	note := time.AfterFunc(time.Second, func() {
		r.tell("waiting for the response to a request that renews a token; interrupt again to stop at once")
	})
	defer note.Stop()
	for _, a := range r.apps {
		if err := a.Close(ctx); err != nil {
			r.tell("warning: the response did not come in time, so a new login may be needed: %s", r.text(err))
		}
	}
}

func (r *runner) root(args []string) *cobra.Command {
	root := group("globus-auth", "Log in to Globus Auth, administer it, and test against an emulator of it")
	root.Long = `globus-auth logs people in to Globus Auth, prints tokens, looks up identities,
scopes and consents, manages projects with their clients and policies, and runs
a test double (emulator) of the service.

Start with "globus-auth quickstart": it shows a whole login, without a network.

The configuration file is globus-auth/config.yaml in the user's directory for
such files, such as ~/.config. It may have client_id, environment, store and
format. The environment replaces its values, and flags replace both.
"globus-auth doctor" shows where each value comes from.`
	version := root.Flags().BoolP("version", "v", false, "show the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			_, err := fmt.Fprintln(r.Out, appName, "version", globusauth.Version())
			return err
		}
		return cmd.Help()
	}
	root.SetIn(r.In)
	root.SetOut(r.Out)
	root.SetErr(r.Err)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRun = func(*cobra.Command, []string) { r.started = true }
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(r.help)
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			command, rest, err := root.Find(args)
			if err == nil {
				err = commandOnly(command, rest)
			}
			if err != nil {
				r.started = false
				return err
			}
			return command.Help()
		},
	})
	root.PersistentFlags().BoolP("help", "h", false, "show this help")
	root.PersistentFlags().BoolVar(&r.verbose, "verbose", false, "show the whole chain of an error")
	r.shared = r.sharedFlags()
	r.loadSettings()  // a flag replaces them
	r.usesLogin(root) // flags may stand before the verb
	root.AddGroup(
		&cobra.Group{ID: logins, Title: "Logins and tokens"},
		&cobra.Group{ID: lookups, Title: "Identities, scopes and consents"},
		&cobra.Group{ID: administration, Title: "Projects and what is in them"},
		&cobra.Group{ID: service, Title: "Operations of the service"},
		&cobra.Group{ID: programs, Title: "Programs"},
	)
	r.completeShared(root)
	r.addCommands(root, func(name string) bool { return slices.Contains(args, name) })
	// Help, completion and mistakes need all commands; printing a token takes less time without them.
	if found, _, err := root.Find(args); err != nil || found == root || found.HasSubCommands() {
		r.addCommands(root, func(name string) bool { return !slices.Contains(args, name) })
		r.addVerbs(root)
		addCompletion(root)
	}
	root.CompletionOptions.DisableDefaultCmd = true // it is added, or not needed
	return root
}

// Groups of commands in the help.
const logins, lookups, administration, service, programs = "logins", "lookups", "administration", "service", "programs"

// addCommands adds the commands that are written by hand, as far as they are wanted.
func (r *runner) addCommands(root *cobra.Command, wanted func(name string) bool) {
	for _, c := range []struct {
		group, name string
		make        func() *cobra.Command
	}{
		{logins, "login", r.login},
		{logins, "whoami", r.whoami},
		{logins, "logout", r.logout},
		{logins, "tokens", r.tokens},
		{logins, "token", r.token},
		{logins, "session", r.session},
		{logins, "id-token", r.idToken},
		{lookups, "identities", r.identities},
		{lookups, "scopes", r.scopes},
		{lookups, "consents", r.consents},
		{programs, "quickstart", r.quickstart},
		{programs, "emulator", r.emulator},
		{programs, "guard", r.guard},
		{programs, "doctor", r.doctor},
		{programs, "version", r.version},
		{service, "api", r.api},
	} {
		if wanted(c.name) {
			command := c.make()
			command.GroupID = c.group
			root.AddCommand(command)
		}
	}
}

// group is a command that has nothing but subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, Args: commandOnly, RunE: help}
	command.AddCommand(commands...)
	return command
}

func help(command *cobra.Command, _ []string) error { return command.Help() }

// newClient makes a client of what flags and environment say.
func (r *runner) newClient(credentials *globusauth.Credentials) (*globusauth.Client, error) {
	return r.newLoggingClient(credentials, &notices{runner: r})
}

func (r *runner) newLoggingClient(credentials *globusauth.Credentials, log slog.Handler) (*globusauth.Client, error) {
	if r.settingsErr != nil {
		return nil, r.settingsErr
	}
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return nil, &problem{err: err, code: ExitUsage}
	}
	if config.Environment == "" {
		config.Environment = r.environment
	}
	if r.baseURL != "" {
		config.BaseURL = r.baseURL
		config.UnsafeAllowHTTP = true // typed deliberately; FromEnvironment does the same for the variable
	}
	if u, err := url.Parse(config.BaseURL); err == nil && u.Scheme == "http" && u.Host != "" && !origin.Loopback(u.Hostname()) {
		r.tell("warning: tokens travel unencrypted to %s", u.Host)
	}
	config.AppName = appName
	config.Credentials = credentials
	config.Logger = slog.New(log)
	client, err := globusauth.New(config)
	if err != nil {
		words := r.addressName()
		if config.BaseURL == "" {
			words = r.setting("environment").From
		}
		return nil, &problem{words: words, err: err, code: ExitUsage}
	}
	return client, nil
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
