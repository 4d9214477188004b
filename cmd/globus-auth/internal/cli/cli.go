// Package cli is the command globus-auth: each verb is a few lines over a
// package of the library.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/internal/origin"
)

// Exit codes of the command.
const (
	ExitOK     = 0
	ExitFailed = 1 // the command failed, at least in part
	ExitUsage  = 2 // the command line is invalid

	ExitInterrupted = 130 // by Ctrl-C or another signal, as in shells
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
	root := r.root() //nolint:contextcheck // the commands get the context when they run
	root.SetArgs(args)
	root.SetIn(r.In)
	root.SetOut(r.Out)
	root.SetErr(r.Err)
	command, err := root.ExecuteContextC(ctx)
	r.close(ctx)
	if err != nil && !r.started {
		hint := meant(root, args)
		if hint == "" {
			hint = fmt.Sprintf("see %q", command.CommandPath()+" --help")
		}
		err = usagef("%w; %s", err, hint)
	}
	problem, _ := errors.AsType[*problem](err)
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errReported):
	case ctx.Err() != nil && problem == nil:
		r.tell("interrupted")
	default:
		r.tell("%s", r.text(err))
	}
	switch {
	case ctx.Err() != nil:
		return ExitInterrupted
	case problem != nil && problem.usage:
		return ExitUsage
	}
	return ExitFailed
}

// runner is what every verb shares.
type runner struct {
	Streams
	getenv  func(string) string
	started bool // the command line is valid

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
	_, _ = fmt.Fprintf(r.Err, "globus-auth: "+format+"\n", args...)
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

func (r *runner) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "globus-auth",
		Short: "Log in to Globus Auth, administer it, and test against an emulator of it",
		Long: `globus-auth logs people in to Globus Auth, prints tokens, looks up identities,
scopes and consents, manages projects with their clients and policies, and runs
a test double (emulator) of the service.

Start with "globus-auth quickstart": it shows a whole login, without a network.

Environment:
  GLOBUS_AUTH_ACCESS_TOKEN        access token for auth.globus.org, used instead
                                  of a stored login
  GLOBUS_AUTH_CLIENT_ID           --client-id
  GLOBUS_AUTH_CLIENT_SECRET       secret of that client, which acts as itself
  GLOBUS_AUTH_CLIENT_SECRET_FILE  --client-secret-file, for that client
  GLOBUS_AUTH_CONFIG              configuration file, see below
  GLOBUS_AUTH_FORMAT              --format
  GLOBUS_AUTH_PROFILE             --profile
  GLOBUS_AUTH_STORE               --store
  GLOBUS_AUTH_STORE_DIR           --store-dir
  GLOBUS_SDK_ENVIRONMENT          Globus environment (default production)
  GLOBUS_SDK_SERVICE_URL_AUTH     --base-url
  GLOBUS_SDK_HTTP_TIMEOUT         seconds for one request; -1 for no limit
                                  (default 60)
  GLOBUS_SDK_VERIFY_SSL           on, off, or a file of CA certificates

The configuration file is globus-auth/config.yaml in the user's directory for
such files, such as ~/.config. It may have client_id, environment, store and
format. The environment replaces its values, and flags replace both.
"globus-auth doctor" shows where each value comes from.`,
		Version:           globusauth.Version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  func(*cobra.Command, []string) { r.started = true },
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			command, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("unknown command %q; see %q", strings.Join(args, " "), "globus-auth help")
			}
			return command.Help()
		},
	})
	flags := root.PersistentFlags()
	flags.StringVar(&r.clientID, "client-id", "", "`ID` of the client (default the only one that is logged in)")
	flags.StringVar(&r.profile, "profile", "", "`name` of one of several logins of the client")
	flags.StringVar(&r.store, "store", "", "token store: file, sqlite, keyring, or the `path` of a file (default file)")
	flags.StringVar(&r.storeDir, "store-dir", "", "`directory` of the token files (default ~/.globus/app)")
	r.loadSettings() // a flag replaces them
	flags.StringVar(&r.secretFile, "client-secret-file", "", "`file` with the secret of the client, which then acts as itself")
	flags.StringVar(&r.baseURL, "base-url", "", "`URL` of the service, such as an emulator (default the environment's)")
	flags.BoolVar(&r.verbose, "verbose", false, "show the whole chain of an error")
	root.AddGroup(
		&cobra.Group{ID: logins, Title: "Logins and tokens:"},
		&cobra.Group{ID: lookups, Title: "Identities, scopes and consents:"},
		&cobra.Group{ID: administration, Title: "Projects and what is in them:"},
		&cobra.Group{ID: service, Title: "Operations of the service:"},
		&cobra.Group{ID: programs, Title: "Programs:"},
	)
	add := func(groupID string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID = groupID
		}
		root.AddCommand(commands...)
	}
	tokens := r.tokens()
	tokens.AddCommand(r.tokensProfiles())
	add(logins, r.login(), r.whoami(), r.logout(), tokens, r.token(),
		group("session", "Show or renew the authentications of the login", r.sessionShow(), r.sessionUpdate(), r.sessionConsent()),
		group("id-token", "Verify or decode ID tokens", r.idTokenVerify(), r.idTokenDecode()))
	add(lookups, r.identities(), group("scopes", "Work with scope strings", r.scopesParse()),
		group("consents", "Show the consents of an identity", r.consentsTree()))
	add(programs, r.quickstart(), r.emulator(), r.guard(), r.doctor(), r.version())
	add(service, r.api())
	r.addVerbs(root)
	r.setFormat(root)
	return root
}

// Groups of commands in the help.
const logins, lookups, administration, service, programs = "logins", "lookups", "administration", "service", "programs"

// group is a command that has nothing but subcommands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	command.AddCommand(commands...)
	return command
}

// exactArgs requires the arguments that the usage line names.
func exactArgs(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	switch {
	case len(args) > len(names):
		return fmt.Errorf("unexpected argument %q", args[len(names)])
	case len(args) < len(names):
		return fmt.Errorf("missing argument %s", names[len(args)])
	}
	return nil
}

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
		return nil, &problem{err: err, usage: true}
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
		return nil, &problem{words: words, err: err, usage: true}
	}
	return client, nil
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
