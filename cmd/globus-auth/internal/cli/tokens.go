package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/tokens"
)

// tokenInfo is what is shown of a stored token.
type tokenInfo struct {
	ResourceServer string `json:"resource_server"`
	Scope          string `json:"scope"`
	ExpiresAt      string `json:"expires_at"` // RFC 3339; empty: unknown
	Expired        bool   `json:"expired"`
	Refreshable    bool   `json:"refreshable"`
	IdentityID     string `json:"identity_id"`
}

func newTokenInfo(token tokens.Token, now time.Time) tokenInfo {
	return tokenInfo{
		ResourceServer: token.ResourceServer, Scope: token.Scope, IdentityID: token.IdentityID,
		ExpiresAt: stamp(token.Expiry), Refreshable: token.RefreshToken != "",
		Expired: !token.Expiry.IsZero() && !now.Before(token.Expiry),
	}
}

func (r *runner) tokens() *cobra.Command {
	command := &cobra.Command{
		Use:   "tokens",
		Short: "List the stored tokens with resource server and expiry",
		Long: `List the stored tokens with resource server, scopes and expiry. The tokens
themselves are secrets; the command token prints one.`,
		Args: exactArgs,
	}
	command.AddCommand(r.tokensProfiles())
	r.usesLogin(command)
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := r.stored(cmd.Context())
		if err != nil {
			return err
		}
		list, rows := []tokenInfo{}, table{{"RESOURCE SERVER", "EXPIRES", "REFRESHABLE", "SCOPES"}}
		for _, token := range a.set.All() {
			info := newTokenInfo(token, a.config.Client.Now())
			list = append(list, info)
			refreshable := "no"
			if info.Refreshable {
				refreshable = "yes"
			}
			rows.row(info.ResourceServer, info.ExpiresAt, refreshable, info.Scope)
		}
		return r.print(cmd.Context(), output, list, rows)
	}
	return command
}

// stamp is a time as RFC 3339 has it, empty if it is unknown.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// servers lists the resource servers of a set.
func servers(set tokens.Set) string {
	var names []string
	for _, token := range set.All() {
		names = append(names, token.ResourceServer)
	}
	return strings.Join(names, ", ")
}
