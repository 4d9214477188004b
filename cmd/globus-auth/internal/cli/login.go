package cli

import (
	"cmp"
	"context"
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

// loginFlags are the flags of login and session update.
type loginFlags struct {
	noBrowser, mfa bool
	authorization  apierror.AuthorizationParameters
}

func newLoginFlags(command *cobra.Command) *loginFlags {
	f := new(loginFlags)
	flags := command.Flags()
	f.browserFlag(command)
	flags.StringSliceVar(&f.authorization.SessionRequiredIdentities, "session-identities", nil, "identities, by `ID` or username, that the session must include")
	flags.StringSliceVar(&f.authorization.SessionRequiredPolicies, "session-policies", nil, "policies, by `ID`, that the session must satisfy")
	flags.StringSliceVar(&f.authorization.SessionRequiredSingleDomain, "session-single-domain", nil, "`domains`, one of which an identity of the session must have")
	flags.BoolVar(&f.mfa, "session-mfa", false, "require multi-factor authentication")
	flags.StringVar(&f.authorization.SessionMessage, "session-message", "", "`sentence` to show on the login page")
	flags.StringVar(&f.authorization.Prompt, "prompt", "", "\"login\" to require a fresh authentication")
	return f
}

func (f *loginFlags) browserFlag(command *cobra.Command) {
	command.Flags().BoolVar(&f.noBrowser, "no-browser", false, "print the link, and read the code, or the address of the page that shows it, from standard input")
}

func (r *runner) login() *cobra.Command {
	var text string
	var noRefreshTokens bool
	command := &cobra.Command{
		Use:   "login",
		Short: "Log in, and store the tokens for later commands",
		Long: `Log in with a native client in the browser, and store the tokens where the
official Python SDK stores those of an app named globus-auth:
~/.globus/app/CLIENT_ID/globus-auth/tokens.json. A login at another address of
the service, such as an emulator, is stored in a file of its own. Later commands
use and refresh the tokens.

Without a browser, over SSH, or with --no-browser, the link is printed on
standard output, and the code, or the whole address of the page that shows it,
is read from standard input.

With a client secret, from --client-secret-file or from the environment as in
CI, the client acts as itself, and its tokens are stored apart from those of
people. It needs this command only for scopes other than the default ones.

Scopes may have dependencies:
"urn:globus:auth:scope:transfer.api.globus.org:all[...]".`,
		Example: `  globus-auth login \
    --client-id 7fb58e00-839d-44e3-8047-10a502612dca
  globus-auth login --client-id ID --no-browser --scopes \
    "openid urn:globus:auth:scope:groups.api.globus.org:all"
  globus-auth login --client-id ID \
    --client-secret-file secret.txt`,
		Args: exactArgs,
	}
	r.usesLogin(command)
	flags := newLoginFlags(command)
	command.Flags().StringVar(&text, "scopes", "", `scopes, separated by spaces (default "openid profile email" and those to look up identities)`)
	_ = command.RegisterFlagCompletionFunc("scopes", completeScopes)
	command.Flags().BoolVar(&noRefreshTokens, "no-refresh-tokens", false, "request no refresh tokens: log in again when the tokens expire, after two days")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := r.appConfig()
		if err != nil {
			return err
		}
		if config.ClientID == "" {
			config.ClientID, err = r.onlyClient(cmd.Context(), config)
			if exitCode(cmd.Context(), err) == ExitNotLoggedIn {
				return usagef("--client-id is missing: register a client at https://developers.globus.org to get one")
			}
			if err != nil {
				return err
			}
		}
		config.Scopes = defaultScopes()
		if strings.TrimSpace(text) != "" {
			graph, err := parseScopes(text)
			if err != nil {
				return &problem{words: "--scopes", err: err, code: ExitUsage}
			}
			config.Scopes = graph.List()
		}
		config.NoRefreshTokens = noRefreshTokens
		return r.logIn(cmd, config, flags)
	}
	return command
}

// logIn logs a person in, or gets tokens for a client that acts as itself.
func (r *runner) logIn(cmd *cobra.Command, config app.Config, flags *loginFlags) error {
	var authorization apierror.AuthorizationParameters
	if config.ClientSecret != "" {
		// With openid the identity is known, which verbs show.
		var err error
		if config.Scopes, err = scopes.Merge(config.Scopes, scopes.List{scopes.AuthOpenID}); err != nil {
			return &problem{words: "--scopes", err: err, code: ExitUsage}
		}
	} else {
		authorization = flags.authorization
		if cmd.Flags().Changed("session-mfa") {
			authorization.SessionRequiredMFA = &flags.mfa
		}
		config.Login = r.loginManager(flags.noBrowser)
	}
	a, err := r.newApp(config)
	if err != nil {
		return err
	}
	if err := a.Login(cmd.Context(), app.LoginOptions{Force: true, Authorization: authorization}); err != nil {
		return err
	}
	return r.welcome(cmd.Context(), a)
}

func (r *runner) loginManager(noBrowser bool) login.Manager {
	typed := login.CommandLine{In: r.In, Out: r.Out}
	if noBrowser {
		return typed
	}
	return login.Loopback{
		Name: appName, In: r.In, Out: r.Err, Getenv: r.getenv, Fallback: typed,
		Hint: "To log in without a browser on this machine, use --no-browser.\n" +
			"If the browser ends on an error page, press Ctrl-C: nothing is changed then.",
	}
}

// welcome says who has logged in.
func (r *runner) welcome(ctx context.Context, a *app.App) error {
	set, err := a.Tokens(ctx)
	if err != nil {
		return err
	}
	name := r.clientID
	if info, err := a.AuthClient().GetUserinfo(ctx); err == nil {
		name = cmp.Or(info.PreferredUsername, info.Sub)
	}
	r.tell("logged in as %s, with tokens for %s", cell(name), cell(servers(set)))
	return nil
}
