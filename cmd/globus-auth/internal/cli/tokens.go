package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
)

// tokenRow is a stored token as it is shown.
type tokenRow struct {
	ResourceServer string `json:"resource_server"`
	Scope          string `json:"scope"`
	ExpiresAt      string `json:"expires_at"` // RFC 3339; empty: not known
	Expired        bool   `json:"expired"`
	Refreshable    bool   `json:"refreshable"`
	IdentityID     string `json:"identity_id"`
	AccessToken    string `json:"access_token,omitempty"`
	RefreshToken   string `json:"refresh_token,omitempty"`
}

func (r *runner) tokens() *cobra.Command {
	show, format := false, ""
	command := &cobra.Command{
		Use:   "tokens",
		Short: "List the stored tokens: for which service, until when",
		Long: `List the stored tokens: for which resource server, with which scopes, until when. The
tokens themselves are secrets, and are shown with --show only.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return usagef("--format %q: it is table or json", format)
			}
			s, err := r.loggedIn(cmd.Context())
			if err != nil {
				return err
			}
			rows := rowsOf(s.set, s.config.Client.Now(), show)
			if format == "json" {
				encoder := json.NewEncoder(r.Out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(rows)
			}
			return r.tokenTable(rows, show)
		},
	}
	command.Flags().BoolVar(&show, "show", false, "show the secrets as well")
	command.Flags().StringVar(&format, "format", "table", "table or json")
	return command
}

func rowsOf(set tokens.Set, now time.Time, show bool) []tokenRow {
	rows := []tokenRow{}
	for _, token := range set.All() {
		row := tokenRow{
			ResourceServer: token.ResourceServer, Scope: token.Scope, IdentityID: token.IdentityID,
			Refreshable: token.RefreshToken != "",
		}
		if !token.Expiry.IsZero() {
			row.ExpiresAt = token.Expiry.UTC().Format(time.RFC3339)
			row.Expired = !now.Before(token.Expiry)
		}
		if show {
			row.AccessToken, row.RefreshToken = token.AccessToken, token.RefreshToken
		}
		rows = append(rows, row)
	}
	return rows
}

func (r *runner) tokenTable(rows []tokenRow, show bool) error {
	var t table
	header := []string{"RESOURCE SERVER", "EXPIRES", "REFRESHABLE", "SCOPES"}
	if show {
		header = append(header, "ACCESS TOKEN", "REFRESH TOKEN")
	}
	t.row(header...)
	for _, row := range rows {
		expires := row.ExpiresAt
		if row.Expired {
			expires += " (expired)"
		}
		refreshable := "no"
		if row.Refreshable {
			refreshable = "yes"
		}
		cells := []string{row.ResourceServer, expires, refreshable, row.Scope}
		if show {
			cells = append(cells, row.AccessToken, row.RefreshToken)
		}
		t.row(cells...)
	}
	return t.print(r.Out)
}

func (r *runner) token() *cobra.Command {
	return &cobra.Command{
		Use:   "token RESOURCE_SERVER",
		Short: "Print one usable access token, refreshed if needed",
		Long: `Print one usable access token for a resource server on standard output, refreshed first if
it is about to expire. Whoever sees it can use it. For auth.globus.org it is that of
GLOBUS_AUTH_ACCESS_TOKEN, if there is one.`,
		Example: `  curl -H "Authorization: Bearer $(globus-auth token transfer.api.globus.org)" https://transfer.api.globus.org/v0.10/task_list`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ready := r.getenv(tokenVariable); ready != "" && args[0] == scopes.AuthResourceServer {
				_, err := fmt.Fprintln(r.Out, ready)
				return err
			}
			s, err := r.loggedIn(cmd.Context())
			if err != nil {
				return err
			}
			if _, found := s.set.ByResourceServer(args[0]); !found {
				return fmt.Errorf("no token is stored for %q, only for %s: log in with a scope of it", args[0], strings.Join(servers(s.set), ", "))
			}
			token, err := s.TokenSource(args[0]).Token(cmd.Context())
			if err != nil {
				return explain(err)
			}
			_, err = fmt.Fprintln(r.Out, token.AccessToken)
			return err
		},
	}
}

func servers(set tokens.Set) []string {
	var names []string
	for _, token := range set.All() {
		names = append(names, token.ResourceServer)
	}
	return names
}
