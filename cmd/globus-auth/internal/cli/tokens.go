package cli

import (
	"time"

	"github.com/spf13/cobra"

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
		Short: "List the stored tokens with resource server and expiry",
		Long: `List the stored tokens with resource server, scopes and expiry. The tokens themselves are secrets,
and are shown only with --show.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return usagef("--format %q is invalid: use table or json", format)
			}
			a, err := r.loggedIn(cmd.Context())
			if err != nil {
				return err
			}
			rows := rowsOf(a.set, a.config.Client.Now(), show)
			if format == "json" {
				return r.printJSON(rows)
			}
			return r.tokenTable(rows, show)
		},
	}
	command.Flags().BoolVar(&show, "show", false, "show the tokens themselves, which are secrets")
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

func servers(set tokens.Set) []string {
	var names []string
	for _, token := range set.All() {
		names = append(names, token.ResourceServer)
	}
	return names
}
