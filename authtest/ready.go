package authtest

import (
	"cmp"

	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// Ready is what a program needs to know about a server with the built-in world.
// It is what the emulator prints as one line of JSON. Fields are empty when the
// world has no such entry.
type Ready struct {
	BaseURL                  string      `json:"base_url"` // with a slash at the end
	NativeClientID           string      `json:"native_client_id"`
	ConfidentialClientID     string      `json:"confidential_client_id"`
	ConfidentialClientSecret string      `json:"confidential_client_secret"`
	ConfidentialRedirectURI  string      `json:"confidential_redirect_uri"`
	Users                    []readyUser `json:"users"` // at most 100; the first one is signed in by default
	ProjectID                string      `json:"project_id"`
	PolicyID                 string      `json:"policy_id"`
	TemplateID               string      `json:"template_id"`
	FQDN                     string      `json:"fqdn"`
	IdentityProvider         struct {
		ID     string `json:"id"`
		Domain string `json:"domain"`
	} `json:"identity_provider"`
	// ResourceScope is a scope of a resource server.
	ResourceScope struct {
		Scope          string `json:"scope"`
		ResourceServer string `json:"resource_server"`
	} `json:"resource_scope"`
	// Dependent is a scope with one that it can be requested with.
	Dependent struct {
		Parent string `json:"parent"`
		Child  string `json:"child"`
	} `json:"dependent"`
	// DependentGrant is a scope of the confidential client, and the scopes of the
	// dependent tokens, by resource server, for a token with it.
	DependentGrant struct {
		Scope  string            `json:"scope"`
		Expect map[string]string `json:"expect"`
	} `json:"dependent_grant"`
}
type readyUser struct {
	Username   string `json:"username"`
	IdentityID string `json:"identity_id"`
}

// Ready describes the server and the built-in world, as far as it is there.
func (s *Server) Ready() Ready {
	r := Ready{BaseURL: s.BaseURL(), Users: []readyUser{}}
	r.ResourceScope.Scope, r.ResourceScope.ResourceServer = string(scopes.TransferAll), scopes.TransferResourceServer
	r.Dependent.Parent, r.Dependent.Child = string(scopes.TransferAll), string(scopes.CollectionDataAccess(collectionID))
	r.DependentGrant.Expect = map[string]string{}
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for person := range e.persons() {
		if len(r.Users) == 100 {
			break
		}
		r.Users = append(r.Users, readyUser{person.identities[0].Username, person.identities[0].ID})
	}
	for c := range e.clients.all() {
		r.describe(c)
	}
	for p := range e.projects.all() {
		r.ProjectID = cmp.Or(r.ProjectID, p.ID)
	}
	for p := range e.policies.all() {
		r.PolicyID = cmp.Or(r.PolicyID, p.ID)
	}
	for p := range e.providers.all() {
		if p.ID != clientProviderID && r.IdentityProvider.ID == "" {
			r.IdentityProvider.ID, r.IdentityProvider.Domain = p.ID, p.Domains[0]
		}
	}
	return r
}

// describe fills in the first client of each kind.
func (r *Ready) describe(c *client) {
	switch {
	case c.Template:
		if r.TemplateID == "" && c.ID != commandLineID {
			r.TemplateID = c.ID
		}
	case c.kind() == server.ClientTypePublicInstalledClient:
		if r.NativeClientID == "" {
			r.NativeClientID = c.ID
		}
	case len(c.credentials) > 0 && r.ConfidentialClientID == "":
		r.ConfidentialClientID, r.ConfidentialClientSecret = c.ID, c.credentials[0].Secret
		if len(c.RedirectURIs) > 0 {
			r.ConfidentialRedirectURI = c.RedirectURIs[0]
		}
		if len(c.FQDNs) > 0 {
			r.FQDN = c.FQDNs[0]
		}
		for _, s := range c.scopes {
			if len(s.dependents) > 0 && r.DependentGrant.Scope == "" {
				r.DependentGrant.Scope = s.text
				for _, d := range s.dependents {
					r.DependentGrant.Expect[d.scope.server] = d.scope.text
				}
			}
		}
	}
}
