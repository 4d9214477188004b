package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/globusauth/globusauth/tokens"
)

// defaultProfile is the one of logins without --profile.
const defaultProfile = "DEFAULT"

// profile is a stored login, or the tokens of a client that acts as itself.
type profile struct {
	ClientID        string   `json:"client_id"`
	Profile         string   `json:"profile"`     // "DEFAULT" if none was named
	Environment     string   `json:"environment"` // empty: a service at an address of its own
	Address         string   `json:"address"`     // empty: that of the environment
	ActsAs          string   `json:"acts_as"`     // "user" or "client"
	IdentityID      string   `json:"identity_id"`
	Username        string   `json:"username"` // according to the stored ID token; empty: unknown
	ResourceServers []string `json:"resource_servers"`
}

func newProfile(key tokens.Key, set tokens.Set) profile {
	p := profile{
		ClientID: key.ClientID, Profile: key.Namespace, Environment: key.Environment, Address: key.Address, ActsAs: "user",
		ResourceServers: []string{},
	}
	if key.Namespace == clientNamespace {
		p.ActsAs, p.Profile = "client", defaultProfile
	} else if name, found := strings.CutPrefix(key.Namespace, clientNamespace+"/"); found {
		p.ActsAs, p.Profile = "client", name
	}
	if key.Address != "" {
		p.Environment = ""
	}
	for _, token := range set.All() {
		p.ResourceServers = append(p.ResourceServers, token.ResourceServer)
		if token.IdentityID != "" {
			p.IdentityID = token.IdentityID
		}
	}
	if raw, found := set.IDToken(); found {
		var claims struct {
			Username string `json:"preferred_username"`
		}
		if token, err := decodeJWT(raw); err == nil && json.Unmarshal(token.Claims, &claims) == nil {
			p.Username = claims.Username
		}
	}
	return p
}

func (r *runner) tokensProfiles() *cobra.Command {
	command := &cobra.Command{
		Use:   "profiles",
		Short: "List all stored logins, with client, profile and user",
		Long: `List all logins in the token store, with client, profile, environment, user and
resource servers. Choose one with --client-id and --profile, and its environment
with GLOBUS_SDK_ENVIRONMENT or --base-url. No request is sent.`,
		Args: exactArgs,
	}
	r.uses(command, "client-id", "store", "store-dir")
	output := r.outputFlags(command, "table")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		list, unreadable := r.profiles(cmd.Context())
		if list == nil {
			return unreadable
		}
		rows := table{{"CLIENT", "PROFILE", "ENVIRONMENT", "USER", "RESOURCE SERVERS"}}
		for _, p := range list {
			rows.row(p.ClientID, p.Profile, p.place(), p.who(), strings.Join(p.ResourceServers, ", "))
		}
		if err := r.print(cmd.Context(), output, list, rows); err != nil {
			return err
		}
		return unreadable
	}
	return command
}

// profiles are all stored logins. One that cannot be read is an error beside the others; nil if the store cannot be opened.
func (r *runner) profiles(ctx context.Context) ([]profile, error) {
	config, err := r.appConfig()
	if err != nil {
		return nil, err
	}
	keys, unreadable := config.Store.Keys(ctx)
	list := []profile{}
	for _, key := range keys {
		set, err := config.Store.Load(ctx, key)
		if err != nil {
			unreadable = err
			continue
		}
		list = append(list, newProfile(key, set))
	}
	return list, unreadable
}

// place is the environment, or the address of a service at one of its own.
func (p profile) place() string { return cmp.Or(p.Address, p.Environment) }

// who is the user, by name if it is known, or the client.
func (p profile) who() string {
	if p.ActsAs == "client" {
		return "the client itself"
	}
	return cmp.Or(p.Username, p.IdentityID)
}
