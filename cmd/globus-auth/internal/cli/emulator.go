package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/internal/emulator"
)

// emulatorOptions are the flags of the emulator.
type emulatorOptions struct {
	listen, publicURL, seed, save string
	format, login, log            *choice
	allowRemote                   bool
	config                        authtest.Config
}

func (r *runner) emulator() *cobra.Command {
	var o emulatorOptions
	command := &cobra.Command{
		Use:   "emulator",
		Short: "Run a test double of Globus Auth on a port, for any language",
		Long: `Run a test double (emulator) of Globus Auth on a port until interrupted, for tests in any language.
When it is ready, it prints on standard output where it is and how to use it. Into a pipe or file, that is one
line of JSON with everything that a program needs: the address, users, clients and their secrets, scopes. A browser
shows a dashboard at the address. Requests are logged on standard error.

Set GLOBUS_SDK_SERVICE_URL_AUTH to the address to use it with the official SDKs. It is not Globus Auth:
it signs in any user without a password.`,
		Example: `  globus-auth emulator --listen 127.0.0.1:8765
  globus-auth emulator --seed world.yaml --save state.yaml`,
		Args: exactArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.runEmulator(cmd.Context(), o) },
	}
	flags := command.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8765", "address and port to listen on; port 0 is any free port")
	flags.BoolVar(&o.allowRemote, "allow-remote", false, "allow an address that other machines can reach")
	flags.StringVar(&o.publicURL, "public-url", "", "address at which clients reach it, if different from --listen")
	flags.StringVar(&o.seed, "seed", "", "YAML file with the users, clients and so on to start with; - is standard input (default a built-in set)")
	flags.StringVar(&o.save, "save", "", "state file, loaded if it exists; written at most once a second and at the end")
	o.format = choiceFlag(command, "format", "", "output format (default text on a terminal, otherwise json)", "json", "text")
	o.log = choiceFlag(command, "log", "text", "format of the request log on standard error", "text", "json", "none")
	o.login = choiceFlag(command, "login", "", "when to show the login page, never or always (default in browsers only)", "auto", "page")
	flags.BoolVar(&o.config.Deterministic, "deterministic", false, "use the same IDs and tokens in every run")
	flags.BoolVar(&o.config.KeyIDs, "key-ids", false, "give signing keys and ID tokens a key ID, unlike Globus Auth")
	flags.DurationVar(&o.config.AccessTokenLifetime, "access-token-lifetime", 0, "lifetime of access tokens (default 48h)")
	flags.BoolVar(&o.config.RotateRefreshTokens, "rotate-refresh-tokens", false, "return a new refresh token on each refresh, and revoke the old one")
	flags.DurationVar(&o.config.RefreshTokenGrace, "refresh-token-grace", 0, "how long a rotated refresh token still works after its first use")
	return command
}

func (r *runner) runEmulator(ctx context.Context, o emulatorOptions) error {
	config, err := r.emulatorConfig(ctx, o)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	if config.BaseURL = o.publicURL; config.BaseURL == "" {
		config.BaseURL = "http://" + reachable(listener.Addr())
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		if !o.allowRemote {
			return usagef("--listen: %s can be reached from other machines, and the emulator signs in any user without a password: use a loopback address, or add --allow-remote", listener.Addr())
		}
		r.tell("warning: this is a test double, not Globus Auth: everyone who can reach it is signed in without a password")
	}
	server, err := authtest.NewServer(config)
	if err != nil {
		return usagef("%s", fieldFlags.Replace(r.text(err)))
	}
	handler := emulator.Handler(server)
	ready := func() error { return r.announce(server.Ready(), o.format) }
	if o.save == "" {
		return serve(ctx, listener, handler, ready)
	}
	saver := &saver{server: server, path: o.save, warn: r.tell}
	stop := saver.start(ctx)
	err = serve(ctx, listener, handler, ready)
	stop()
	return errors.Join(err, saver.save())
}

// fieldFlags are the flags that set the fields of an [authtest.Config].
var fieldFlags = strings.NewReplacer("AccessTokenLifetime", "--access-token-lifetime", "BaseURL", "--public-url",
	"RefreshTokenGrace", "--refresh-token-grace")

// reachable names an address that a client on this machine can use.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// logHandler writes a log to standard error.
func (r *runner) logHandler(format *choice) slog.Handler {
	if format.value == "json" {
		return slog.NewJSONHandler(r.Err, nil)
	}
	return slog.NewTextHandler(r.Err, nil)
}

func (r *runner) emulatorConfig(ctx context.Context, o emulatorOptions) (authtest.Config, error) {
	config := o.config
	config.Login = o.login.value
	if o.log.value != "none" {
		config.Logger = slog.New(r.logHandler(o.log))
	}
	if o.seed != "" {
		world, err := r.readSeed(ctx, o.seed)
		if err != nil {
			return config, err
		}
		config.World = &world
	}
	if o.save != "" {
		world, err := readState(o.save)
		if err != nil || world == nil {
			return config, err
		}
		if config.Seed = config.World; config.Seed == nil {
			config.Seed = new(authtest.DefaultWorld())
		}
		config.World = world
	}
	return config, nil
}

// announce prints what the emulator holds, which is the sign that it is ready.
func (r *runner) announce(ready authtest.Ready, format *choice) error {
	if format.value == "json" || format.value == "" && !isTerminal(r.Out) {
		return printJSON(r.Out, ready, "")
	}
	users := make([]string, len(ready.Users))
	for i, user := range ready.Users {
		users[i] = user.Username
	}
	_, _ = fmt.Fprintf(r.Out, "%s\n\n", r.bold(r.Out, "Globus Auth emulator, a test double: it signs in any user without a password"))
	if err := r.printTable(table{
		{"Dashboard", ready.BaseURL},
		{"Use it", "export " + addressVariable + "=" + ready.BaseURL},
		{"Log in", "globus-auth login --client-id " + ready.NativeClientID},
		{"Users", strings.Join(users, ", ")},
		{"Native app", ready.NativeClientID},
		{"Web app", ready.ConfidentialClientID},
		{"  secret", ready.ConfidentialClientSecret},
		{"  redirect", ready.ConfidentialRedirectURI},
	}); err != nil {
		return err
	}
	_, err := fmt.Fprint(r.Out, "\nThe dashboard has the rest, --format json all of it. Ctrl-C stops the emulator.\n\n")
	return err
}

// serve serves requests until ctx ends, and then lets those in progress finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, ready func() error) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	err := ready()
	if err == nil {
		select {
		case err = <-failed:
			return err
		case <-ctx.Done():
		}
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if shutdown := server.Shutdown(grace); shutdown != nil {
		_ = server.Close()
	}
	if served := <-failed; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}
