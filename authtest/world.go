package authtest

import "time"

// World is what a [Server] knows when it starts, and the document that
// [Server.Snapshot] writes: providers, users, groups, clients with their scopes,
// projects, policies and faults, and in a snapshot the tokens, consents and
// sessions as well. Empty IDs are generated. It is read and written as
// YAML with the field names of the tags.
type World struct {
	Providers []Provider `yaml:"identity_providers,omitempty"`
	Users     []User     `yaml:"users,omitempty"`
	Groups    []Group    `yaml:"groups,omitempty"`
	Clients   []Client   `yaml:"clients,omitempty"`
	Projects  []Project  `yaml:"projects,omitempty"`
	Policies  []Policy   `yaml:"policies,omitempty"`
	Faults    []Fault    `yaml:"faults,omitempty"`
	State     *state     `yaml:"state,omitempty"` // what came after the start; nil in a seed
}

// Provider is an identity provider.
type Provider struct {
	ID               string   `yaml:"id,omitempty"`
	Name             string   `yaml:"name"`
	ShortName        string   `yaml:"short_name,omitempty"`
	AlternativeNames []string `yaml:"alternative_names,omitempty"`
	Domains          []string `yaml:"domains"` // of the usernames that it vouches for
}

// User is a person with one identity, and the identities linked to it.
type User struct {
	ID           string `yaml:"id,omitempty"`
	Username     string `yaml:"username"`       // with its domain
	Name         string `yaml:"name,omitempty"` // empty is null on the wire, here and below
	Email        string `yaml:"email,omitempty"`
	Organization string `yaml:"organization,omitempty"`
	Provider     string `yaml:"identity_provider,omitempty"` // ID; empty: the provider of the username's domain, generated if there is none
	Status       string `yaml:"status,omitempty"`            // empty: used
	Type         string `yaml:"identity_type,omitempty"`     // empty: login
	LastLogin    int64  `yaml:"last_authentication,omitempty"`
	Linked       []User `yaml:"linked,omitempty"` // further identities of the person; theirs is not read
}

// Group is a group of Globus Groups, as far as Globus Auth knows it: its members
// administer the projects that name it, whatever their role.
type Group struct {
	ID          string   `yaml:"id,omitempty"`
	Name        string   `yaml:"name"`
	Description string   `yaml:"description,omitempty"`
	Members     []string `yaml:"members,omitempty"` // identity IDs or usernames
}

// Client is a registered client, with what it owns as a resource server.
type Client struct {
	ID                 string       `yaml:"id,omitempty"`
	Name               string       `yaml:"name"`
	Type               string       `yaml:"client_type,omitempty"` // empty: confidential_client with a secret, else public_installed_client
	Secret             string       `yaml:"secret,omitempty"`      // short for one credential
	Credentials        []Credential `yaml:"credentials,omitempty"`
	Project            string       `yaml:"project,omitempty"`
	Parent             string       `yaml:"parent_client,omitempty"`
	Template           bool         `yaml:"template,omitempty"` // whether instances can be made of it
	Instance           bool         `yaml:"instance,omitempty"` // of the template that is its parent
	Public             bool         `yaml:"public,omitempty"`   // visibility: any authenticated caller may see it
	RedirectURIs       []string     `yaml:"redirect_uris,omitempty"`
	FQDNs              []string     `yaml:"fqdns,omitempty"`
	ResourceServer     string       `yaml:"resource_server,omitempty"` // name of its tokens; empty: as the scope string says
	Scopes             []Scope      `yaml:"scopes,omitempty"`
	RequiredIDP        string       `yaml:"required_idp,omitempty"`
	PreselectIDP       string       `yaml:"preselect_idp,omitempty"`
	TermsAndConditions string       `yaml:"terms_and_conditions,omitempty"`
	PrivacyPolicy      string       `yaml:"privacy_policy,omitempty"`
}

// Credential is a secret of a client.
type Credential struct {
	ID      string    `yaml:"id,omitempty"`
	Name    string    `yaml:"name,omitempty"`
	Secret  string    `yaml:"secret"`
	Created time.Time `yaml:"created,omitempty"` // zero: now
}

// Scope is a scope that a client owns.
//
// A scope string with {uuid} in it stands for that scope of any resource server
// with a UUID, such as a collection or a flow: when one is requested, a client
// with that ID is registered, with a scope for each pattern of this client.
// {uuid_} is the UUID once more, with _ in place of -.
type Scope struct {
	ID                string       `yaml:"id,omitempty"`
	Scope             string       `yaml:"scope,omitempty"`  // the whole string; with {uuid} a pattern, see below
	Suffix            string       `yaml:"suffix,omitempty"` // short for https://auth.globus.org/scopes/{client}/{suffix}
	Name              string       `yaml:"name,omitempty"`
	Description       string       `yaml:"description,omitempty"` // empty: made of the name
	DependsOn         []Dependency `yaml:"depends_on,omitempty"`
	Hidden            bool         `yaml:"hidden,omitempty"`              // not advertised
	DenyRefreshTokens bool         `yaml:"deny_refresh_tokens,omitempty"` // allows_refresh_token is false
	RequiredDomains   []string     `yaml:"required_domains,omitempty"`    // of an identity of the user
}

// Dependency is a scope that another one depends on.
type Dependency struct {
	Scope                string `yaml:"scope"` // string or ID
	Optional             bool   `yaml:"optional,omitempty"`
	RequiresRefreshToken bool   `yaml:"requires_refresh_token,omitempty"`
}

// Project is a project.
type Project struct {
	ID            string   `yaml:"id,omitempty"`
	Name          string   `yaml:"display_name"`
	ContactEmail  string   `yaml:"contact_email,omitempty"` // empty: generated
	AdminIDs      []string `yaml:"admin_ids,omitempty"`     // identity IDs or usernames
	AdminGroupIDs []string `yaml:"admin_group_ids,omitempty"`
	AdminPolicy   string   `yaml:"admin_policy,omitempty"` // ID that stands for "an administrator signed in recently"
}

// Policy is an authentication policy.
type Policy struct {
	ID            string     `yaml:"id,omitempty"`
	Project       string     `yaml:"project_id"`
	Name          string     `yaml:"display_name"`
	Description   string     `yaml:"description,omitempty"`
	HighAssurance bool       `yaml:"high_assurance,omitempty"`
	Timeout       *int       `yaml:"authentication_assurance_timeout,omitempty"` // seconds; nil: none
	RequiredMFA   bool       `yaml:"required_mfa,omitempty"`
	Include       domainList `yaml:"domain_constraints_include,omitempty"` // a []string; nil is null; an entry may be *.example.edu
	Exclude       domainList `yaml:"domain_constraints_exclude,omitempty"`
}
