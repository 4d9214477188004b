package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/scopes"
)

// defaultScopes are those that the verbs of the command need.
func defaultScopes() scopes.List {
	return scopes.List{scopes.AuthOpenID, scopes.AuthProfile, scopes.AuthEmail, scopes.AuthViewIdentities, scopes.AuthViewIdentitySet}
}

// loginOptions are the flags of login and session update.
type loginOptions struct {
	scopes          string
	redirectURI     string
	noBrowser       bool
	noRefreshTokens bool
	mfa             bool
	authorization   apierror.AuthorizationParameters
}

func (o *loginOptions) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVar(&o.noBrowser, "no-browser", false, "print the link, and read the code, or the address of the page that shows it, from standard input")
	flags.StringVar(&o.redirectURI, "redirect-uri", "", "registered redirect URI, to log a person in with a client that has a secret")
	flags.StringSliceVar(&o.authorization.SessionRequiredIdentities, "session-identities", nil, "require these identities, by ID or username, in the session")
	flags.StringSliceVar(&o.authorization.SessionRequiredPolicies, "session-policies", nil, "require the session to satisfy these policies, by ID")
	flags.StringSliceVar(&o.authorization.SessionRequiredSingleDomain, "session-single-domain", nil, "require an identity from one of these domains")
	flags.BoolVar(&o.mfa, "session-mfa", false, "ask for multi-factor authentication")
	flags.StringVar(&o.authorization.SessionMessage, "session-message", "", "sentence to show on the login page")
	flags.StringVar(&o.authorization.Prompt, "prompt", "", "set to \"login\" to require a fresh authentication")
}

// parameters are what the login is to satisfy.
func (o *loginOptions) parameters(command *cobra.Command) apierror.AuthorizationParameters {
	parameters := o.authorization
	if command.Flags().Changed("session-mfa") {
		parameters.SessionRequiredMFA = &o.mfa
	}
	return parameters
}

func (r *runner) login() *cobra.Command {
	var o loginOptions
	command := &cobra.Command{
		Use:   "login --client-id ID",
		Short: "Log in, and keep the tokens for later commands",
		Long: `Log in with a native client in the browser, and store the tokens where the official Python
SDK stores those of an app named globus-auth: ~/.globus/app/CLIENT_ID/globus-auth/tokens.json.
A login at another address of the service, such as an emulator, is stored in a file of its own.
Later commands use and refresh the tokens.

Without a browser, over SSH, or with --no-browser, the link is printed on standard output, and the
code, or the whole address of the page that shows it, is read from standard input.

With --client-secret-file the client logs in as itself, for unattended programs. Later
commands need the file as well. With --redirect-uri, a person logs in to that
client, and pastes the address to which the browser was sent.

With GLOBUS_AUTH_CLIENT_ID and GLOBUS_AUTH_CLIENT_SECRET, as in CI, the client acts as itself.
It needs this command only for scopes other than the default ones.

Scopes may have dependencies: "urn:globus:auth:scope:transfer.api.globus.org:all[...]".`,
		Example: `  globus-auth login --client-id 7fb58e00-839d-44e3-8047-10a502612dca
  globus-auth login --client-id ID --no-browser \
    --scopes "openid urn:globus:auth:scope:transfer.api.globus.org:all"
  globus-auth login --client-id ID \
    --client-secret-file secret.txt --profile robot`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := r.appConfig()
			if err != nil {
				return err
			}
			if config.ClientID == "" {
				return usagef("--client-id is missing: register a client at https://developers.globus.org to get one")
			}
			if config.Scopes, err = readScopes(o.scopes); err != nil {
				return err
			}
			parameters := o.parameters(cmd)
			if actsAsItself(config) && o.redirectURI != "" {
				return usagef("--redirect-uri is for a person's login: give the secret by --client-secret-file, not by %s", secretVariable)
			}
			if config.ClientSecret != "" && o.redirectURI == "" {
				return r.loginService(cmd.Context(), config)
			}
			config.NoRefreshTokens = o.noRefreshTokens
			return r.loginUser(cmd.Context(), config, o, parameters)
		},
	}
	o.flags(command)
	command.Flags().StringVar(&o.scopes, "scopes", "", `scopes, separated by spaces (default "openid profile email" and those to look up identities)`)
	command.Flags().BoolVar(&o.noRefreshTokens, "no-refresh-tokens", false, "request no refresh tokens: log in again when the tokens expire, after two days")
	return command
}

// readScopes reads the flag --scopes.
func readScopes(text string) (scopes.List, error) {
	if strings.TrimSpace(text) == "" {
		return defaultScopes(), nil
	}
	graph, err := scopes.Parse(text)
	if err != nil {
		return nil, usagef("--scopes: %w", err)
	}
	return graph.List(), nil
}

// loginUser brings a person through a login.
func (r *runner) loginUser(ctx context.Context, config app.Config, o loginOptions, parameters apierror.AuthorizationParameters) error {
	typed := login.CommandLine{In: r.In, Out: r.Out}
	config.Login = typed
	config.RedirectURI = o.redirectURI
	if !o.noBrowser && o.redirectURI == "" {
		config.Login = login.Loopback{
			Name: appName, In: r.In, Out: r.Err, Getenv: r.getenv, Fallback: typed,
			Hint: "To log in without a browser on this machine, use --no-browser.",
		}
	}
	user, err := r.newApp(config, false)
	if err != nil {
		return err
	}
	if err := user.Login(ctx, app.LoginOptions{Force: true, Authorization: parameters}); err != nil {
		return explain(err)
	}
	return r.welcome(ctx, user, config)
}

// loginService gets tokens for a client itself.
func (r *runner) loginService(ctx context.Context, config app.Config) error {
	// Openid makes the identity known, which verbs show.
	merged, err := scopes.Merge(config.Scopes, scopes.List{scopes.AuthOpenID})
	if err != nil {
		return usagef("--scopes: %w", err)
	}
	config.Scopes = merged
	service, err := r.newApp(config, true)
	if err != nil {
		return err
	}
	if err := service.Login(ctx, app.LoginOptions{Force: true}); err != nil {
		return explain(err)
	}
	return r.welcome(ctx, service, config)
}

// welcome says who has logged in.
func (r *runner) welcome(ctx context.Context, who *app.App, config app.Config) error {
	set, err := who.Tokens(ctx)
	if err != nil {
		return err
	}
	name := "the client " + config.ClientID
	if info, err := who.AuthClient().GetUserinfo(ctx); err == nil {
		name = info.Sub
		if info.PreferredUsername != "" {
			name = info.PreferredUsername
		}
	}
	_, err = fmt.Fprintf(r.Err, "Logged in as %s, with tokens for %s.\n", cell(name), cell(strings.Join(servers(set), ", ")))
	return err
}
