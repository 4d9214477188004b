package authtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/globusauth/globusauth/internal/server"
)

// addClient registers a client without its scopes.
func (e *engine) addClient(c Client) (*client, error) {
	id, err := e.newID("client", c.ID, e.identities[strings.ToLower(c.ID)] != nil || e.clients[strings.ToLower(c.ID)] != nil)
	if err != nil {
		return nil, err
	}
	added := &client{
		id: id, name: c.Name, kind: server.ClientType(c.Type), parent: c.Parent, template: c.Template, instance: c.Instance, visibility: server.ClientVisibilityPrivate,
		redirectURIs: orEmpty(c.RedirectURIs), resourceServer: c.ResourceServer, requiredIDP: c.RequiredIDP,
		preselectIDP: c.PreselectIDP, termsAndConditions: c.TermsAndConditions, privacyPolicy: c.PrivacyPolicy,
	}
	if c.Public {
		added.visibility = server.ClientVisibilityPublic
	}
	credentials := c.Credentials
	if c.Secret != "" {
		credentials = append([]Credential{{Name: "seeded", Secret: c.Secret}}, credentials...)
	}
	if added.kind == "" {
		added.kind = server.ClientTypePublicInstalledClient
		if len(credentials) > 0 {
			added.kind = server.ClientTypeConfidentialClient
		}
	}
	if err := e.checkClient(added, c, credentials); err != nil {
		return nil, fmt.Errorf("authtest: client %q: %w", c.Name, err)
	}
	if c.Project != "" {
		if added.project = e.projects[strings.ToLower(c.Project)]; added.project == nil {
			return nil, fmt.Errorf("authtest: client %q: there is no project %q", c.Name, c.Project)
		}
	}
	for _, given := range credentials {
		used, err := e.seededCredential(added, given)
		if err != nil {
			return nil, err
		}
		added.credentials = append(added.credentials, used)
	}
	e.keepClient(added)
	for _, fqdn := range c.FQDNs {
		e.giveFQDN(added, fqdn)
	}
	return added, nil
}

func (e *engine) checkClient(added *client, c Client, credentials []Credential) error {
	if added.name == "" || strings.ContainsAny(added.name, "\r\n") {
		return fmt.Errorf("a name of one line is required")
	}
	if !added.kind.Valid() {
		return fmt.Errorf("there is no client_type %q", added.kind)
	}
	if added.public() && len(credentials) > 0 {
		return fmt.Errorf("a client of the type %q has no secret", added.kind)
	}
	for _, uri := range added.redirectURIs {
		if err := checkRedirectURI(uri); err != nil {
			return err
		}
	}
	for _, fqdn := range c.FQDNs {
		if e.fqdns[strings.ToLower(fqdn)] != nil {
			return fmt.Errorf("the host name %q is taken", fqdn)
		}
	}
	return nil
}

func (e *engine) seededCredential(c *client, given Credential) (*credential, error) {
	id, err := e.newID("credential", given.ID, false)
	if err != nil {
		return nil, err
	}
	if given.Secret == "" {
		return nil, fmt.Errorf("authtest: client %q: a credential needs a secret", c.name)
	}
	added := &credential{id: id, name: given.Name, client: c, secret: given.Secret, created: e.now()}
	if given.Created != "" {
		if added.created, err = time.Parse(time.RFC3339Nano, given.Created); err != nil {
			return nil, fmt.Errorf("authtest: client %q: credential created: %w", c.name, err)
		}
	}
	added.hashSecret()
	return added, nil
}

// keepClient makes a client known. One that can act on its own gets an identity.
func (e *engine) keepClient(c *client) {
	e.clients[c.id] = c
	e.ordered.clients = append(e.ordered.clients, c.id)
	if !c.public() {
		e.newClientIdentity(c)
	}
	e.changed()
}

func (e *engine) giveFQDN(c *client, fqdn string) {
	fqdn = strings.ToLower(fqdn)
	c.fqdns = append(c.fqdns, fqdn)
	e.fqdns[fqdn] = c
	e.changed()
}

// addScope registers a scope without its dependencies.
func (e *engine) addScope(owner *client, s Scope) (*scope, error) {
	text := s.Scope
	if text == "" && s.Suffix != "" {
		text = scopeURL + owner.id + "/" + s.Suffix
	}
	if text == "" || strings.ContainsAny(text, "[]* ") {
		return nil, fmt.Errorf("authtest: scope %q of client %q: a scope string or a suffix is required, without []* and blanks", text, owner.name)
	}
	if e.byScope[text] != nil || text == offlineAccess {
		return nil, fmt.Errorf("authtest: scope %q of client %q: the string is taken", text, owner.name)
	}
	id, err := e.newID("scope", s.ID, e.scopes[strings.ToLower(s.ID)] != nil)
	if err != nil {
		return nil, err
	}
	added := &scope{
		id: id, text: text, server: serverOf(text, owner), client: owner, name: s.Name, description: s.Description,
		advertised: !s.Hidden, allowsRefresh: !s.DenyRefreshTokens, requiredDomains: orEmpty(s.RequiredDomains),
	}
	if added.name == "" {
		added.name = text[strings.LastIndexAny(text, "/:")+1:]
	}
	if added.description == "" {
		added.description = added.name + "."
	}
	e.keepScope(added)
	return added, nil
}

func (e *engine) keepScope(s *scope) {
	e.scopes[s.id] = s
	if strings.Contains(s.text, anyUUID) {
		e.patterns = append(e.patterns, s)
	} else {
		e.byScope[s.text] = s
	}
	e.ordered.scopes = append(e.ordered.scopes, s.id)
	s.client.scopes = append(s.client.scopes, s)
	e.changed()
}

// addDependencies connects a scope with those that it depends on, named by
// string or ID.
func (e *engine) addDependencies(s *scope, list []Dependency) error {
	for _, d := range list {
		target := e.scopeNamed(d.Scope)
		if target == nil {
			target = e.scopes[strings.ToLower(d.Scope)]
		}
		if target == nil {
			return fmt.Errorf("authtest: scope %q: it cannot depend on %q, which does not exist", s.text, d.Scope)
		}
		if target == s || reaches(target, s.id) {
			return fmt.Errorf("authtest: scope %q: it cannot depend on %q, which depends on it", s.text, d.Scope)
		}
		s.dependents = append(s.dependents, dependency{
			scope: target, optional: d.Optional, requiresRefresh: d.RequiresRefreshToken,
		})
	}
	return nil
}
