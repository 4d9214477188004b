package cli

import (
	"context"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/cmd/globus-auth/internal/guard"
	"github.com/globusauth/globusauth/flows"
)

func (r *runner) guard() *cobra.Command {
	var path string
	var check bool
	var log *choice
	command := &cobra.Command{
		Use:   "guard",
		Short: "Protect a program in any language with Globus Auth tokens",
		Long: `Protect an API in any language: check the token of each request by the rules of
a file, as a reverse proxy or as the forward-auth server of nginx, Traefik or
Caddy. The program reads the caller from headers such as X-Globus-Subject.

When the guard is ready, it prints one line of JSON with its addresses. Denials
are logged on standard error.

The secret of the client is in the file that client_secret_file names, or in
GLOBUS_AUTH_CLIENT_SECRET.`,
		Example: `  globus-auth guard --config guard.yaml --check
  globus-auth guard --config guard.yaml`,
		Args: exactArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.runGuard(cmd.Context(), path, r.logHandler(log), check)
		},
	}
	r.uses(command, "base-url", "client-secret-file")
	flags := command.Flags()
	flags.StringVar(&path, "config", "guard.yaml", "configuration `file`")
	log = choiceFlag(command, "log", "text", "format of the log on standard error", "text", "json")
	flags.BoolVar(&check, "check", false, "check the configuration file and exit")
	return command
}

func (r *runner) runGuard(ctx context.Context, path string, log slog.Handler, check bool) error {
	file, err := openRegular("--config", path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	config, err := guard.Read(file)
	if err != nil {
		return &problem{words: path, err: err, code: ExitUsage}
	}
	secret, err := r.guardSecret(config)
	if err != nil {
		return err
	}
	auth, err := r.newLoggingClient(nil, log)
	if err != nil {
		return err
	}
	g, err := guard.New(config, flows.Config{Auth: auth, ClientID: config.ClientID, ClientSecret: secret}) //nolint:contextcheck // New sends no request; handlers use the context of theirs.
	if err != nil {
		return &problem{words: path, err: err, code: ExitUsage}
	}
	if check {
		return nil
	}
	var listen net.ListenConfig
	requests, err := listen.Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return &problem{words: path + ": listen", err: err}
	}
	admin, err := listen.Listen(ctx, "tcp", config.Admin)
	if err != nil {
		_ = requests.Close()
		return &problem{words: path + ": admin", err: err}
	}
	if err := printJSON(r.Out, map[string]string{"listen": requests.Addr().String(), "admin": admin.Addr().String()}, ""); err != nil {
		return err
	}
	return g.Serve(ctx, requests, admin)
}

// guardSecret reads the secret of the guard's client.
func (r *runner) guardSecret(config guard.Config) (string, error) {
	path, flag := r.secretFile, "--client-secret-file"
	if path == "" {
		path, flag = config.ClientSecretFile, "client_secret_file"
	}
	if path == "" {
		path, flag = r.getenv(secretFileVariable), secretFileVariable
	}
	secret := r.getenv(secretVariable)
	switch {
	case path != "":
		return readSecret(flag, path)
	case secret == "":
		return "", usagef("the secret of the client is missing: set %s, or client_secret_file in the configuration", secretVariable)
	}
	return secret, nil
}
