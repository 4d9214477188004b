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
	"sync"
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
	ExitFailed = 1 // the work was not done, or not all of it
	ExitUsage  = 2 // the command line is wrong

	ExitInterrupted = 130 // by Ctrl-C or another signal, as shells say it
)

// Streams are where the command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// closeTimeout is how long a command waits at its end for requests that it has sent.
const closeTimeout = 15 * time.Second

// Run carries out one command line and returns its exit code. It ends early,
// with what it has, when ctx does, but waits for renewals that were sent: a refresh token
// that was used and whose successor is not stored would be the end of the login.
func Run(ctx context.Context, args []string, streams Streams, getenv func(string) string) int {
	if _, file := streams.Err.(*os.File); !file {
		streams.Err = &lockedWriter{w: streams.Err} // notices come from several goroutines
	}
	run := &runner{Streams: streams, getenv: getenv}
	root := run.root() //nolint:contextcheck // the commands get the context when they run
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	run.close(ctx)
	if err == nil {
		return ExitOK
	}
	switch {
	case errors.Is(err, errReported):
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(streams.Err, "globus-auth: interrupted")
	default:
		_, _ = fmt.Fprintf(streams.Err, "globus-auth: %s\n", run.text(err))
	}
	if ctx.Err() != nil {
		return ExitInterrupted
	}
	if _, usage := errors.AsType[*usageError](err); usage {
		return ExitUsage
	}
	return ExitFailed
}

// lockedWriter is a writer that several goroutines may use, as files are.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(text)
}

// errReported ends a command whose errors have been printed already.
var errReported = errors.New("reported")

// usageError is a command line that cannot be carried out.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// runner is what every verb shares.
type runner struct {
	Streams
	getenv  func(string) string
	baseURL string
	verbose bool
	flags   settings
	apps    []*app.App // that were opened
	bar     *progress  // of a long lookup
}

// close waits for what was sent.
func (r *runner) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	note := time.AfterFunc(time.Second, func() {
		_, _ = fmt.Fprintln(r.Err, "globus-auth: waiting for the response to a request that renews a token; interrupt again to stop at once")
	})
	defer note.Stop()
	for _, a := range r.apps {
		if err := a.Close(ctx); err != nil {
			_, _ = fmt.Fprintf(r.Err, "globus-auth: warning: the response did not come in time, so a new login may be needed: %s\n", r.text(err))
		}
	}
}

func (r *runner) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "globus-auth",
		Short: "Log in to Globus Auth, inspect it, and test against an emulator of it",
		Long: `globus-auth logs people in to Globus Auth, hands out tokens, looks up identities,
scopes and consents, and runs a test double (emulator) of the service.

Start with "globus-auth quickstart": it shows a whole login, without a network.

Environment:
  GLOBUS_AUTH_ACCESS_TOKEN        access token for auth.globus.org, used in place of a stored login
  GLOBUS_AUTH_CLIENT_ID           --client-id
  GLOBUS_AUTH_CLIENT_SECRET       secret of that client: it then acts as itself, with a login of its own
  GLOBUS_AUTH_CLIENT_SECRET_FILE  --client-secret-file
  GLOBUS_AUTH_PROFILE             --profile
  GLOBUS_AUTH_STORE               --store
  GLOBUS_AUTH_STORE_DIR           --store-dir
  GLOBUS_SDK_ENVIRONMENT          Globus environment (default production)
  GLOBUS_SDK_SERVICE_URL_AUTH     --base-url
  GLOBUS_SDK_HTTP_TIMEOUT         seconds for one request; -1 for no limit (default 60)
  GLOBUS_SDK_VERIFY_SSL           on, off, or a file of CA certificates`,
		Version:           globusauth.Version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetHelpFunc(r.help)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %q", err, cmd.CommandPath()+" --help")
	})
	root.PersistentFlags().StringVar(&r.baseURL, "base-url", "", "address of the service, such as an emulator (default the environment's)")
	root.PersistentFlags().BoolVar(&r.verbose, "verbose", false, "show the operations that led to an error")
	r.settingsFlags(root)
	root.AddCommand(r.quickstart(), r.emulator(), r.login(), r.whoami(), r.logout(), r.tokens(), r.token(), r.session(),
		r.identities(), r.scopes(), r.consents())
	wrapArgs(root)
	return root
}

// wrapArgs makes a wrong number of arguments a usage error.
func wrapArgs(command *cobra.Command) {
	check := command.Args
	command.Args = func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(cmd, args); err != nil {
			return usagef("%w; see %q", err, cmd.CommandPath()+" --help")
		}
		return nil
	}
	for _, sub := range command.Commands() {
		wrapArgs(sub)
	}
}

// oneArgument accepts the argument that the usage line names.
func oneArgument(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("%d arguments are given, and %q takes one", len(args), strings.TrimSuffix(cmd.UseLine(), " [flags]"))
}

// config is the configuration that environment and flags give.
func (r *runner) config() (globusauth.Config, error) {
	config, err := globusauth.FromEnvironment()
	if err != nil {
		return globusauth.Config{}, &usageError{err}
	}
	if r.baseURL != "" {
		config.BaseURL = r.baseURL
		// An address with http is typed deliberately; the same holds for the variable.
		config.UnsafeAllowHTTP = true
	}
	if u, err := url.Parse(config.BaseURL); err == nil && u.Scheme == "http" && u.Host != "" && !origin.Loopback(u.Hostname()) {
		_, _ = fmt.Fprintf(r.Err, "globus-auth: warning: tokens travel unencrypted to %s\n", u.Host)
	}
	config.AppName = appName
	config.Logger = slog.New(&notices{out: r.Err, text: r.text, clear: func() { r.bar.clear() }})
	return config, nil
}

// isTerminal reports whether a stream is one that a person looks at.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
