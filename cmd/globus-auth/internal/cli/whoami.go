package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/unixtime"
)

func (r *runner) whoami() *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use:   "whoami",
		Short: "Say who is logged in",
		Long: `Say who is logged in, as the service tells it. The format json is the claims of the
userinfo endpoint as they came.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usagef("--format %q: it is text or json", format)
			}
			client, err := r.client(cmd.Context())
			if err != nil {
				return err
			}
			var answer globusauth.Response
			info, err := client.GetUserinfo(cmd.Context(), globusauth.WithResponse(&answer))
			if err != nil {
				return explain(err)
			}
			if format == "json" {
				var text bytes.Buffer
				if err := json.Indent(&text, bytes.TrimSpace(answer.Body), "", "  "); err != nil {
					return err
				}
				_, err := fmt.Fprintf(r.Out, "%s\n", text.Bytes())
				return err
			}
			return r.introduce(info)
		},
	}
	command.Flags().StringVar(&format, "format", "text", "text or json")
	return command
}

// introduce shows who somebody is.
func (r *runner) introduce(info *gen.Userinfo) error {
	var rows table
	for _, line := range [][2]string{
		{"Username", info.PreferredUsername},
		{"ID", info.Sub},
		{"Name", info.Name},
		{"Email", info.Email},
		{"Organization", info.Organization},
		{"Identity provider", info.IdentityProviderDisplayName},
	} {
		if line[1] != "" {
			rows.row(line[0]+":", line[1])
		}
	}
	for _, linked := range info.IdentitySet {
		if linked.Sub != info.Sub {
			rows.row("Linked identity:", fmt.Sprintf("%s (%s)", linked.Username, linked.Sub))
		}
	}
	return rows.print(r.Out)
}

func (r *runner) session() *cobra.Command {
	command := &cobra.Command{
		Use: "session", Short: "See and renew the authentications behind the login", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(r.sessionShow(), r.sessionUpdate())
	return command
}

// authentication is one identity and when it was authenticated.
type authentication struct {
	Username          string `json:"username"`
	ID                string `json:"id"`
	LastAuthenticated string `json:"last_authentication"` // RFC 3339; empty: never, or not told
}

func (r *runner) sessionShow() *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use:   "show",
		Short: "List the identities of the login, and when each was authenticated",
		Long: `List the identities of the login, and when each was authenticated last. The login needs the
scope view_identity_set, which login asks for by default, to see linked identities. For a client with
a secret, the service tells which identities are in the session behind the token.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return usagef("--format %q: it is table or json", format)
			}
			list, err := r.authentications(cmd.Context())
			if err != nil {
				return explain(err)
			}
			if format == "json" {
				encoder := json.NewEncoder(r.Out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(list)
			}
			var rows table
			rows.row("USERNAME", "ID", "LAST AUTHENTICATION")
			for _, a := range list {
				rows.row(a.Username, a.ID, a.LastAuthenticated)
			}
			return rows.print(r.Out)
		},
	}
	command.Flags().StringVar(&format, "format", "table", "table or json")
	return command
}

// authentications are those of the session as far as the service tells.
func (r *runner) authentications(ctx context.Context) ([]authentication, error) {
	client, s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	info, err := client.GetUserinfo(ctx)
	if err != nil {
		return nil, err
	}
	people := info.IdentitySet
	if len(people) == 0 {
		people = []gen.LinkedIdentity{{Sub: info.Sub, Username: info.PreferredUsername, LastAuthentication: info.LastAuthentication}}
	}
	var inSession map[string]gen.SessionAuthentication
	if s != nil && s.config.ClientSecret != "" {
		token, err := s.TokenSource(scopes.AuthResourceServer).Token(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := s.confidential().Introspect(ctx, token.AccessToken, flows.IntrospectOptions{SessionInfo: true})
		if err == nil && answer.Active {
			inSession = answer.SessionInfo.Authentications
		}
	}
	list := []authentication{}
	for _, person := range people {
		if a, found := inSession[person.Sub]; found {
			person.LastAuthentication = a.AuthTime
		} else if len(inSession) > 0 {
			continue
		}
		list = append(list, authentication{person.Username, person.Sub, stamp(person.LastAuthentication)})
	}
	return list, nil
}

func stamp(t unixtime.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (r *runner) sessionUpdate() *cobra.Command {
	var o loginOptions
	command := &cobra.Command{
		Use:   "update",
		Short: "Authenticate again, with what a service or policy asks for",
		Long: `Log in again for the same scopes, so that the session satisfies what a service or policy asks
for. Without any other wish the person is asked to authenticate afresh.`,
		Example: `  globus-auth session update --session-policies 8b0f8e21-3a2b-4b0a-9f1c-2f3a0f6a2b0c
  globus-auth session update --session-identities alice@example.edu --session-mfa`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := r.loggedIn(cmd.Context())
			if err != nil {
				return err
			}
			if isService(s.config.ClientID, s.set) {
				return usagef("a client that logged in as itself has no session")
			}
			parameters := o.parameters(cmd)
			if parameters.Prompt == "" && parameters.SessionRequiredMFA == nil &&
				len(parameters.SessionRequiredIdentities)+len(parameters.SessionRequiredPolicies)+len(parameters.SessionRequiredSingleDomain) == 0 {
				parameters.Prompt = "login"
			}
			config := s.config
			config.NoRefreshTokens = !slices.ContainsFunc(s.set.All(), func(t tokens.Token) bool { return t.RefreshToken != "" })
			return r.loginUser(cmd.Context(), config, o, parameters)
		},
	}
	o.flags(command)
	return command
}
