package authtest

import (
	"github.com/globusauth/globusauth/internal/server"
	"github.com/globusauth/globusauth/scopes"
)

// Ready is what a program needs to know about a server with the built-in world.
// It is what the emulator prints as one line of JSON. Members stay empty when the
// world has no such entry.
type Ready struct {
	BaseURL                  string                `json:"base_url"` // with a slash at the end
	NativeClientID           string                `json:"native_client_id"`
	ConfidentialClientID     string                `json:"confidential_client_id"`
	ConfidentialClientSecret string                `json:"confidential_client_secret"`
	ConfidentialRedirectURI  string                `json:"confidential_redirect_uri"`
	Users                    []ReadyUser           `json:"users"` // the first one is signed in by default
	ProjectID                string                `json:"project_id"`
	PolicyID                 string                `json:"policy_id"`
	TemplateID               string                `json:"template_id"`
	FQDN                     string                `json:"fqdn"`
	IdentityProvider         ReadyIdentityProvider `json:"identity_provider"`
	ResourceScope            ReadyScope            `json:"resource_scope"`
	Dependent                ReadyDependency       `json:"dependent"`
	DependentGrant           ReadyDependentGrant   `json:"dependent_grant"`
}

// ReadyUser is a person who can sign in.
type ReadyUser struct {
	Username   string `json:"username"`
	IdentityID string `json:"identity_id"`
}

// ReadyIdentityProvider is an identity provider with one of its domains.
type ReadyIdentityProvider struct {
	ID     string `json:"id"`
	Domain string `json:"domain"`
}

// ReadyScope is a scope and whose token carries it.
type ReadyScope struct {
	Scope          string `json:"scope"`
	ResourceServer string `json:"resource_server"`
}

// ReadyDependency is a scope and one that it can be asked for with.
type ReadyDependency struct {
	Parent string `json:"parent"`
	Child  string `json:"child"`
}

// ReadyDependentGrant is a scope of the confidential client and what a token with
// it is exchanged for: resource server to scope.
type ReadyDependentGrant struct {
	Scope  string            `json:"scope"`
	Expect map[string]string `json:"expect"`
}

// Ready describes the server and the built-in world, as far as it is there.
func (s *Server) Ready() Ready {
	base := s.BaseURL()
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	r := Ready{
		BaseURL: base, Users: []ReadyUser{}, DependentGrant: ReadyDependentGrant{Expect: map[string]string{}},
		ResourceScope: ReadyScope{string(scopes.TransferAll), scopes.TransferResourceServer},
		Dependent:     ReadyDependency{string(scopes.TransferAll), string(scopes.CollectionDataAccess(collectionID))},
	}
	for person := range e.persons() {
		if len(r.Users) == 100 {
			break
		}
		r.Users = append(r.Users, ReadyUser{person.identities[0].username, person.identities[0].id})
	}
	for _, id := range e.ordered.clients {
		e.describeClient(&r, e.clients[id])
	}
	if len(e.ordered.projects) > 0 {
		r.ProjectID = e.ordered.projects[0]
	}
	if len(e.ordered.policies) > 0 {
		r.PolicyID = e.ordered.policies[0]
	}
	for _, id := range e.ordered.providers {
		if id != clientProviderID && r.IdentityProvider.ID == "" {
			r.IdentityProvider = ReadyIdentityProvider{ID: id, Domain: e.providers[id].domains[0]}
		}
	}
	return r
}

// describeClient fills in the first client of each kind.
func (e *engine) describeClient(r *Ready, c *client) {
	switch {
	case c.template:
		if r.TemplateID == "" && c.id != commandLineID {
			r.TemplateID = c.id
		}
	case c.kind == server.ClientTypePublicInstalledClient:
		if r.NativeClientID == "" {
			r.NativeClientID = c.id
		}
	case len(c.credentials) > 0 && r.ConfidentialClientID == "":
		r.ConfidentialClientID, r.ConfidentialClientSecret = c.id, c.credentials[0].secret
		if len(c.redirectURIs) > 0 {
			r.ConfidentialRedirectURI = c.redirectURIs[0]
		}
		if len(c.fqdns) > 0 {
			r.FQDN = c.fqdns[0]
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
